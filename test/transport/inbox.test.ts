import assert from "node:assert/strict";
import { test } from "node:test";
import { Inbox } from "../../src/transport/inbox.js";

const chunk = (value: number): Uint8Array => Uint8Array.of(value);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function recording(inbox: Inbox): string[] {
  const log: string[] = [];
  inbox.open({
    onData: (bytes) => log.push(String(bytes[0])),
    onClose: (error) => log.push(error === null ? "end" : error.message),
  });
  return log;
}

test("an open inbox delivers at once", () => {
  const inbox = new Inbox();
  const log = recording(inbox);
  inbox.push(chunk(1));
  assert.deepEqual(log, ["1"]);
  assert.equal(inbox.heldBytes, 0);
});

test("held chunks are delivered in order, then the end", async () => {
  const inbox = new Inbox();
  inbox.push(chunk(1));
  inbox.push(chunk(2));
  inbox.close(null);
  inbox.push(chunk(3));
  inbox.close(new Error("second"));
  assert.equal(inbox.heldBytes, 2);
  const log = recording(inbox);
  assert.deepEqual(log, []);
  await turn();
  assert.deepEqual(log, ["1", "2", "end"]);
});

test("chunks that arrive while held ones are delivered stay behind them", async () => {
  const inbox = new Inbox();
  inbox.push(chunk(1));
  inbox.push(chunk(2));
  const log: number[] = [];
  inbox.open({
    onData: (bytes) => {
      log.push(bytes[0]!);
      if (bytes[0] === 1) inbox.push(chunk(3));
    },
    onClose: () => {},
  });
  await turn();
  assert.deepEqual(log, [1, 2, 3]);
});

test("pausing in a handler holds the rest, and resuming in it continues", async () => {
  const inbox = new Inbox();
  for (let i = 1; i <= 4; i++) inbox.push(chunk(i));
  const log: number[] = [];
  inbox.open({
    onData: (bytes) => {
      log.push(bytes[0]!);
      inbox.pause();
      if (bytes[0] === 2) inbox.resume();
    },
    onClose: () => log.push(0),
  });
  await turn();
  assert.deepEqual([log, inbox.heldBytes], [[1], 3]);
  inbox.close(null);
  inbox.resume();
  await turn();
  assert.deepEqual(log, [1, 2, 3]);
  inbox.resume();
  await turn();
  inbox.resume();
  await turn();
  assert.deepEqual(log, [1, 2, 3, 4, 0]);
});

test("abort drops held chunks and closes once, paused or not", async () => {
  const inbox = new Inbox();
  const log = recording(inbox);
  inbox.pause();
  inbox.push(chunk(1));
  inbox.abort(new Error("broken"));
  inbox.abort(null);
  inbox.pause();
  inbox.push(chunk(2));
  inbox.close(null);
  assert.equal(inbox.heldBytes, 0);
  await turn();
  assert.deepEqual(log, ["broken"]);
});

test("nothing is delivered after an abort in a handler", async () => {
  const inbox = new Inbox();
  for (let i = 1; i <= 3; i++) inbox.push(chunk(i));
  const log: string[] = [];
  inbox.open({
    onData: (bytes) => {
      log.push(String(bytes[0]));
      inbox.abort(null);
    },
    onClose: () => log.push("end"),
  });
  await turn();
  assert.deepEqual(log, ["1", "end"]);
});

test("a handler that throws loses only its own chunk", async (t) => {
  const inbox = new Inbox();
  for (let i = 1; i <= 3; i++) inbox.push(chunk(i));
  inbox.close(null);
  const log: string[] = [];
  const queue: (() => void)[] = [];
  t.mock.method(globalThis, "queueMicrotask", (callback: () => void) => queue.push(callback));
  inbox.open({
    onData: (bytes) => {
      if (bytes[0] === 2) throw new Error("handler");
      log.push(String(bytes[0]));
    },
    onClose: () => log.push("end"),
  });
  assert.throws(queue.shift()!, /handler/);
  assert.deepEqual(log, ["1"]);
  queue.shift()!();
  assert.deepEqual([log, queue.length], [["1", "3", "end"], 0]);
});
