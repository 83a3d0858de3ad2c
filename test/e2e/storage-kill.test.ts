import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { concatBytes } from "../../src/bytes/bytes.js";
import { openReadReply } from "../../src/crypto/envelope/box-messages.js";
import type { ReplicaReadReply } from "../../src/crypto/envelope/replica-messages.js";
import { copyChunkLength } from "../../src/pki/copy-stream-plan.js";
import { places } from "../network/copy-stream-fixture.js";
import { type StorageFixture, sizes } from "../network/storage-fixture.js";
import { contentsOf, copied, openNetwork, temporary, written } from "./storage-process.js";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "storage-kill-"));
});
after(() => rmSync(folder, { recursive: true }));

/** Runs the process until it has printed enough, kills it at once, and returns its output. */
async function runAndKill(
  data: string,
  what: string,
  isEnough: (lines: readonly string[]) => boolean,
): Promise<string[]> {
  const script = fileURLToPath(new URL("./storage-process.js", import.meta.url));
  const child = spawn(process.execPath, [script, data, what], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (isEnough(lines) && !child.killed) child.kill("SIGKILL");
  }
  const signal = await new Promise((resolve) => {
    if (child.signalCode !== null || child.exitCode !== null) resolve(child.signalCode);
    else child.once("exit", (_, name) => resolve(name));
  });
  assert.equal(signal, "SIGKILL", "it was killed, it did not end by itself");
  return lines;
}

/** Repeats `attempt` for a minute until it returns a value. */
async function eventually<T>(what: string, attempt: () => Promise<T | null>): Promise<T> {
  for (let i = 0; i < 6000; i++) {
    const found = await attempt();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${what}: not in time`);
}

/** The contents of the first boxes of the stream, once they can be read. */
async function read(fixture: StorageFixture, count: number): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for (const [box, index] of places(written.firstMessageIndex, count).entries()) {
    const contents = eventually(`box ${box} of ${count}`, async () => {
      const reply = (await fixture.read(written, index)) as ReplicaReadReply;
      return reply.errorCode === 0 ? openReadReply(written.readCap, index, reply) : null;
    });
    found.push(await contents);
  }
  return found;
}

void describe("a storage network that is killed", () => {
  void test("loses no box that the courier had acknowledged", { timeout: 240_000 }, async () => {
    for (const enough of [1, 40, 111]) {
      const data = join(folder, `acknowledge${enough}`);
      const lines = await runAndKill(data, "acknowledge", ({ length }) => length >= enough);
      assert.ok(lines.length >= enough);
      const fixture = await openNetwork(data);
      const found = await read(fixture, lines.length);
      for (const [box, contents] of found.entries()) {
        assert.deepEqual(contents, contentsOf(box), `box ${box} of ${lines.length}`);
      }
      await fixture.network.close();
    }
  });

  void test("loses no box that a replica had confirmed", { timeout: 240_000 }, async () => {
    const data = join(folder, "store");
    let said = 0;
    // Killed several times over the same data, whatever it was doing.
    for (const enough of [30, 75, 120]) {
      const lines = await runAndKill(data, "store", ({ length }) => length >= enough);
      said = Math.max(said, lines.length);
    }
    const fixture = await openNetwork(data);
    const found = await read(fixture, said);
    for (const [box, contents] of found.entries()) assert.deepEqual(contents, contentsOf(box));
    // Boxes that were not passed to the other shard in time are passed on after the start.
    await eventually("two copies of each box", async () => {
      const stored = fixture.network.replicas.map((replica) => replica.stored.boxes);
      return stored.reduce((sum, boxes) => sum + boxes) >= 2 * said ? true : null;
    });
    await fixture.network.close();
  });

  void test(
    "finishes a copy that was in progress, and cleans up",
    { timeout: 240_000 },
    async () => {
      const data = join(folder, "copy");
      await runAndKill(data, "copy", (lines) => lines.includes("running 0"));
      const fixture = await openNetwork(data);
      for (;;) {
        const { status } = await fixture.copy(temporary.writeCap);
        if (status === 0) break;
        assert.equal(status, 1);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const count = Math.ceil(copied.length / copyChunkLength(sizes));
      const found = await read(fixture, count);
      assert.deepEqual(concatBytes(...found), copied);
      for (let i = 0; ; i++) {
        if ((await fixture.read(temporary)).errorCode === 11) break;
        assert.ok(i < 6000, "the temporary boxes are deleted");
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await fixture.network.close();
    },
  );
});
