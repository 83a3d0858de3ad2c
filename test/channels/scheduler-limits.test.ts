/** How much of a store's work is under way at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Scheduler,
  type ReadSource,
  type Task,
  type WriteSource,
} from "../../src/channels/scheduler.js";
import { onAbort } from "../../src/clock/on-abort.js";
import { VirtualClock } from "../../src/clock/virtual.js";

/** A scheduler on a network that takes one packet a second, and half of them for reads. */
function scheduler() {
  const clock = new VirtualClock();
  let close!: () => void;
  const closed = new Promise<void>((resolve) => (close = resolve));
  const registration = { [Symbol.dispose]: () => {} };
  const client = { closed, pkiDocument: () => null, on: () => registration };
  /** The names of the sources that were asked, in order, and how to end their tasks. */
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const task = (name: string): Task => ({
    run: (signal) => {
      begun.push(name);
      return new Promise((resolve, reject) => {
        ends.push(resolve);
        onAbort(signal, () => reject(signal.reason as Error));
      });
    },
  });
  const writer = (name: string, boxes: number): WriteSource => ({
    get isBusy() {
      return boxes > 0;
    },
    pausedUntil: 0,
    takeTask: () => (boxes-- > 0 ? task(name) : null),
    retry: () => {},
  });
  const reader = (name: string, isLikely: boolean): ReadSource => ({
    isWanted: true,
    dueAt: 0,
    patienceMs: 0,
    takeQuestion: () => ({ ...task(name), boxes: 1, isLikely }),
    retry: () => {},
  });
  const end = (count: number): void => ends.splice(0, count).forEach((resolve) => resolve());
  return {
    clock,
    close,
    begun,
    end,
    writer,
    reader,
    made: new Scheduler(client as never, clock, 0.5),
  };
}

test("twelve boxes are written at once, and writers take turns", async () => {
  const { clock, begun, end, writer, made } = scheduler();
  made.addWriter(writer("a", 20));
  made.addWriter(writer("b", 20));
  await clock.advance(0);
  assert.equal(begun.join(""), "ab".repeat(6));
  end(3);
  await clock.advance(0);
  assert.equal(begun.length, 15);
  await made.stop();
});

test("eight boxes are read at once, and two beside writes", async () => {
  for (const [isWriting, most] of [
    [false, 8],
    [true, 2],
  ] as const) {
    const { clock, begun, writer, reader, made } = scheduler();
    if (isWriting) made.addWriter(writer("w", 1));
    for (let i = 0; i < 10; i++) made.addReader(reader("r", true));
    await clock.advance(100_000);
    assert.equal(begun.filter((name) => name === "r").length, most);
    await made.stop();
  }
});

test("readers that are due since the same time take turns", async () => {
  const { clock, begun, end, reader, made } = scheduler();
  for (let i = 0; i < 10; i++) made.addReader(reader(String(i), true));
  await clock.advance(0);
  end(8);
  await clock.advance(0);
  assert.equal(begun.join(""), "0123456789012345");
  await made.stop();
});

test("reads that may find nothing save up no more than two reads' packets", async () => {
  const { clock, begun, end, reader, made } = scheduler();
  // Two packets a read, and a packet in two seconds: a day of silence saves up four.
  await clock.advance(24 * 3_600_000);
  for (let i = 0; i < 8; i++) made.addReader(reader("r", false));
  await clock.advance(0);
  assert.equal(begun.length, 2);
  end(2);
  await clock.advance(3900);
  assert.equal(begun.length, 2);
  await clock.advance(200);
  assert.equal(begun.length, 3);
  await made.stop();
});

test("a scheduler ends what is in progress, and begins nothing, when its client is closed", async () => {
  const { clock, close, begun, writer, made } = scheduler();
  made.addWriter(writer("a", 3));
  await clock.advance(0);
  close();
  await clock.advance(0);
  made.addWriter(writer("b", 1));
  await clock.advance(100_000);
  assert.equal(begun.join(""), "aaa");
  assert.equal(clock.pending, 0);
});

test("stop waits for what is in progress", async () => {
  const { clock, made } = scheduler();
  let ended = false;
  let finish!: () => void;
  made.add({ run: () => new Promise((resolve) => (finish = resolve)) });
  await clock.advance(0);
  const stopped = made.stop().then(() => (ended = true));
  await clock.advance(0);
  assert.equal(ended, false);
  finish();
  await stopped;
});
