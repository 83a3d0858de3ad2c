/**
 * The embedded network inside a real browser: in a worker, kept over a reload, and shared by pages.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadlessBrowser, findChromium } from "./chromium.js";
import { type Kept, SCRIPTS, connect, open } from "./network-page.js";
import { PageServer } from "./page-server.js";

test("a network in a page", { timeout: 540_000 }, async (t) => {
  const executable = findChromium();
  if (executable === null) {
    t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
    return;
  }
  await using server = await PageServer.start("katzenpost-thinclient", SCRIPTS);
  await using browser = await HeadlessBrowser.start(executable);

  await t.test("echoes, writes and reads from a worker", async () => {
    const page = await open(browser, server);
    t.diagnostic(`connected ${Math.round(await connect(page, "own"))} ms after the worker began`);
    const outcome = await page.evaluate(async () => {
      const { client, katz } = globalThis as unknown as Kept;
      const { randomBytes, utf8ToText } = katz;
      const echo = client.getService("echo");
      const reply = await client.blockingSendMessage("hello", ...echo.toDestination());
      const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
      const pairs = 20;
      const since = performance.now();
      let index = firstMessageIndex;
      const texts = new Set<string>();
      for (let i = 0; i < pairs; i++) {
        const { nextMessageBoxIndex } = await client.write(writeCap, index, "a box");
        texts.add(utf8ToText((await client.read(readCap, index)).plaintext));
        index = nextMessageBoxIndex;
      }
      const perSecond = pairs / ((performance.now() - since) / 1000);
      return { echo: utf8ToText(reply.subarray(0, 5)), texts: [...texts], perSecond };
    });
    t.diagnostic(`${outcome.perSecond.toFixed(1)} pairs of a write and a read a second`);
    assert.deepEqual([outcome.echo, outcome.texts], ["hello", ["a box"]]);
    await page.close();
  });

  await t.test("computes a voucher without delaying another client", async () => {
    const page = await open(browser, server);
    await connect(page, "own");
    const outcome = await page.evaluate(async () => {
      const { client, connect, katz } = globalThis as unknown as Kept;
      const other = await connect();
      const echo = other.getService("echo");
      const mint = { done: false };
      const { writeCap } = await client.newKeypair(katz.randomBytes(32));
      const minting = client.voucherMint(writeCap, "Ada").then((ticket) => {
        mint.done = true;
        return ticket;
      });
      let echoes = 0;
      while (!mint.done) {
        await other.blockingSendMessage("still here", ...echo.toDestination());
        if (!mint.done) echoes++;
      }
      await minting;
      return echoes;
    });
    assert.ok(outcome >= 1, `${outcome} echoes while the voucher was made`);
    await page.close();
  });

  await t.test("says at once why the worker of a second tab does not start", async () => {
    const [first, second] = [await open(browser, server), await open(browser, server)];
    await connect(first, "own", "in use");
    for (const kind of ["own", "shared"] as const) {
      await assert.rejects(
        connect(second, kind, "in use"),
        /ConnectError: .*worker: its program failed: .*in use by another tab/,
      );
    }
    await Promise.all([first.close(), second.close()]);
  });

  await t.test("keeps boxes over a reload", async () => {
    const page = await open(browser, server);
    await connect(page, "own", "kept boxes");
    const capability = await page.evaluate(async () => {
      const { client, katz } = globalThis as unknown as Kept;
      const keys = await client.newKeypair(katz.randomBytes(32));
      await client.write(keys.writeCap, keys.firstMessageIndex, "before the reload");
      return [keys.readCap, keys.firstMessageIndex].map((one) => katz.toHex(one));
    });
    await page.reload();
    await page.waitForFunction(() => "katz" in globalThis);
    await connect(page, "own", "kept boxes");
    const text = await page.evaluate(async ([readCap, index]) => {
      const { client, katz } = globalThis as unknown as Kept;
      const { MessageBoxIndex, ReadCap, utf8ToText } = katz;
      const { plaintext } = await client.read(
        ReadCap.fromHex(readCap!),
        MessageBoxIndex.fromHex(index!),
      );
      return utf8ToText(plaintext);
    }, capability);
    assert.equal(text, "before the reload");
    await page.close();
  });

  await t.test(
    "lets two pages chat through channels, which keep messages over a reload",
    async () => {
      const [alice, bob] = [await open(browser, server), await open(browser, server)];
      await connect(alice, "shared", "shared");
      await connect(bob, "shared", "shared");
      const invitation = await alice.evaluate(async () => {
        const { client, katz } = globalThis as unknown as Kept;
        const channels = await katz.openChannels(client, "alice");
        const writer = await channels.create("to Bob");
        const { readCap, nextMessageBoxIndex } = await writer.invitation();
        await (
          await writer.send("one")
        ).stored;
        await (
          await writer.send("two")
        ).stored;
        return [readCap, nextMessageBoxIndex].map((one) => katz.toHex(one));
      });
      const first = await bob.evaluate(async ([readCap, index]) => {
        const { client, katz } = globalThis as unknown as Kept;
        const channels = await katz.openChannels(client, "bob");
        const reader = await channels.import("from Alice", {
          readCap: katz.ReadCap.fromHex(readCap!),
          nextMessageBoxIndex: katz.MessageBoxIndex.fromHex(index!),
        });
        const heard: string[] = [];
        for await (const message of reader) {
          heard.push(katz.utf8ToText(message.bytes));
          await message.ack();
          break;
        }
        return heard;
      }, invitation);
      assert.deepEqual(first, ["one"]);
      for (const page of [alice, bob]) {
        await page.reload();
        await page.waitForFunction(() => "katz" in globalThis);
        await connect(page, "shared", "shared");
      }
      const heard = bob.evaluate(async () => {
        const { client, katz } = globalThis as unknown as Kept;
        const channels = await katz.openChannels(client, "bob");
        const reader = await channels.reader("from Alice");
        const heard: string[] = [];
        for await (const message of reader) {
          heard.push(katz.utf8ToText(message.bytes));
          if (heard.length === 2) break;
        }
        return heard;
      });
      await alice.evaluate(async () => {
        const { client, katz } = globalThis as unknown as Kept;
        const channels = await katz.openChannels(client, "alice");
        await (
          await (await channels.writer("to Bob")).send("three")
        ).stored;
      });
      assert.deepEqual(await heard, ["two", "three"]);
      await Promise.all([alice.close(), bob.close()]);
    },
  );
});
