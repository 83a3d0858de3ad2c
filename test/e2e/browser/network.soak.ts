/** A file through the network inside a real browser: about seven hundred boxes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadlessBrowser, findChromium } from "./chromium.js";
import { type Kept, SCRIPTS, connect, open } from "./network-page.js";
import { PageServer } from "./page-server.js";

test(
  "a megabyte passes completely through boxes of a network in a page",
  { timeout: 600_000 },
  async (t) => {
    const executable = findChromium();
    if (executable === null) {
      t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
      return;
    }
    await using server = await PageServer.start("katzenpost-thinclient", SCRIPTS);
    await using browser = await HeadlessBrowser.start(executable);
    const page = await open(browser, server);
    await connect(page, "own");
    const digests = await page.evaluate(async () => {
      const { client, katz } = globalThis as unknown as Kept;
      const { blake2256Sum, randomBytes, toHex } = katz;
      const file = new Uint8Array(1_000_000);
      for (let at = 0; at < file.length; at += 50_000) file.set(randomBytes(50_000), at);
      const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
      const size = client.pigeonholeGeometry.maxPlaintextPayloadLength;
      const read = async (): Promise<Uint8Array> => {
        const got: Uint8Array[] = [];
        let [index, length] = [firstMessageIndex, 0];
        while (length < file.length) {
          const box = await client.read(readCap, index);
          got.push(box.plaintext);
          length += box.plaintext.length;
          index = box.nextMessageBoxIndex;
        }
        const whole = new Uint8Array(length);
        let at = 0;
        for (const part of got) {
          whole.set(part, at);
          at += part.length;
        }
        return whole;
      };
      const write = async (): Promise<void> => {
        let index = firstMessageIndex;
        for (let at = 0; at < file.length; at += size) {
          const part = file.subarray(at, at + size);
          index = (await client.write(writeCap, index, part)).nextMessageBoxIndex;
        }
      };
      const [got] = await Promise.all([read(), write()]);
      return [toHex(blake2256Sum(file)), toHex(blake2256Sum(got))];
    });
    assert.equal(digests[1], digests[0]);
    await page.close();
  },
);
