import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { equalBytes } from "../../src/bytes/bytes.js";
import { memoryListener, memoryPair } from "../../src/transport/memory.js";
import { Recorder, pattern } from "./transport-recorder.js";

const options = { timeout: 20_000 };

test("bytes arrive by microtask, without timers", options, async () => {
  const [a, b] = memoryPair();
  const there = Recorder.open(b);
  a.write(pattern(10));
  assert.equal(there.bytes, 0);
  await Promise.resolve();
  assert.equal(there.bytes, 10);
});

test("chunks arrive as the cut function cuts them", options, async () => {
  const cut = (chunk: Uint8Array): Uint8Array[] => [
    chunk.subarray(0, 1),
    chunk.subarray(1, 1),
    chunk.subarray(1),
  ];
  const [a, b] = memoryPair({ cut });
  const there = Recorder.open(b);
  a.write(pattern(10));
  await there.received(10);
  assert.deepEqual(
    there.chunks.map((chunk) => chunk.length),
    [1, 9],
  );
  assert.ok(equalBytes(there.all(), pattern(10)));
});

test("fail breaks the connection for both ends with one error", options, async () => {
  const [a, b] = memoryPair();
  const [here, there] = [Recorder.open(a), Recorder.open(b)];
  a.write(pattern(10));
  b.pause();
  const error = new Error("cable cut");
  a.fail(error);
  assert.deepEqual([await here.closed, await there.closed], [error, error]);
  assert.equal(there.bytes, 0);
});

test("fail without an error creates one", options, async () => {
  const [a, b] = memoryPair({ address: "memory:x" });
  const there = Recorder.open(b);
  a.fail();
  const error = await there.closed;
  assert.equal((error as { code?: string } | null)?.code, "THIN_CLIENT_ERROR_CONNECTION_LOST");
  assert.match(error!.message, /memory:x/);
});

test(
  "destroy with unread data is a reset for the other end, otherwise an end",
  options,
  async () => {
    const quiet = memoryPair();
    const first = Recorder.open(quiet[1]);
    quiet[0].destroy();
    assert.equal(await first.closed, null);

    const busy = memoryPair();
    const second = Recorder.open(busy[1]);
    busy[1].write(pattern(10));
    busy[0].destroy();
    assert.match((await second.closed)!.message, /reset/);
  },
);

test("queuedBytes counts what the other end has not accepted", options, async () => {
  const [a, b] = memoryPair();
  assert.equal(a.write(pattern(100)), true);
  assert.equal(a.queuedBytes, 100);
  await Recorder.open(b).received(100);
  assert.equal(a.queuedBytes, 0);
  b.pause();
  assert.equal(a.write(pattern(256 * 1024 - 1)), true);
  assert.equal(a.write(pattern(1)), false);
  assert.equal(a.queuedBytes, 256 * 1024);
  b.resume();
  await a.drained();
  assert.equal(a.queuedBytes, 0);
});

test("any order of writes, pauses and resumes delivers the same bytes", options, async () => {
  const step = fc.oneof(
    fc.nat(2000).map((length) => ({ length })),
    fc.constantFrom("pause", "resume", "turn"),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const [a, b] = memoryPair({ cut: (chunk) => [chunk.subarray(0, 3), chunk.subarray(3)] });
      const there = Recorder.open(b);
      const sent: number[] = [];
      for (const one of steps) {
        if (one === "pause") b.pause();
        else if (one === "resume") b.resume();
        else if (one === "turn") await Promise.resolve();
        else if (typeof one === "object") {
          const chunk = pattern(one.length, one.length);
          sent.push(...chunk);
          a.write(chunk);
        }
      }
      a.end();
      b.resume();
      assert.equal(await there.closed, null);
      assert.deepEqual([...there.all()], sent);
    }),
    { numRuns: 100 },
  );
});

test("a listener passes on the far ends, and none after its close", options, async () => {
  const listener = memoryListener({ address: "memory:daemon" });
  assert.equal(listener.address, "memory:daemon");
  const far: unknown[] = [];
  listener.open((transport) => far.push(transport));
  const near = await listener.dial();
  assert.equal(near.address, "memory:daemon");
  assert.equal(far.length, 1);
  await listener.close();
  await assert.rejects(listener.dial(), {
    code: "ERR_CONNECT",
    message: "cannot connect to memory:daemon: nothing listens there",
  });
});
