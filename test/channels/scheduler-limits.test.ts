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

/**
 * A scheduler on a network that takes one packet a second, and half of them for reads.
 * @param lambdaP of the document; undefined for none.
 */
function scheduler(lambdaP?: number) {
  const clock = new VirtualClock();
  let close!: () => void;
  const closed = new Promise<void>((resolve) => (close = resolve));
  const registration = { [Symbol.dispose]: () => {} };
  const client = {
    closed,
    pkiDocument: () => (lambdaP === undefined ? null : { lambdaP }),
    on: () => registration,
  };
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
    isLikely,
    takeQuestion: () => task(name),
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

/** A round trip in which five boxes leave: eight under way keep the ticks filled. */
const ROUND_TRIP_MS = 10_000;

test("as many boxes are written at once as fill the ticks, and writers take turns", async () => {
  for (const [roundTripMs, most] of [
    [null, 4],
    [1000, 4],
    [ROUND_TRIP_MS, 8],
    [60_000, 12],
  ] as const) {
    const { clock, begun, end, writer, made } = scheduler();
    if (roundTripMs !== null) made.measured(roundTripMs);
    made.addWriter(writer("a", 20));
    made.addWriter(writer("b", 20));
    await clock.advance(0);
    assert.equal(begun.join(""), "ab".repeat(most / 2));
    end(3);
    await clock.advance(0);
    assert.equal(begun.length, most + 3);
    await made.stop();
  }
});

test("what is measured while many boxes are under way changes their number slowly", async () => {
  const { clock, begun, end, writer, made } = scheduler();
  made.measured(ROUND_TRIP_MS);
  made.addWriter(writer("a", Infinity));
  await clock.advance(0);
  assert.equal(begun.length, 8);
  // Each takes so long because eight are under way, which is no reason for more.
  for (let n = 0; n < 200; n++) {
    await clock.advance(2000);
    made.measured(22_000);
    end(1);
  }
  await clock.advance(0);
  assert.equal(begun.length, 208);
  // The network has become slower.
  for (let n = 0; n < 50; n++) made.measured(44_000);
  end(1);
  await clock.advance(0);
  assert.equal(begun.length, 213);
  // And much quicker.
  for (let n = 0; n < 200; n++) made.measured(4000);
  end(8);
  await clock.advance(0);
  assert.equal(begun.length, 213);
  end(1);
  await clock.advance(0);
  assert.equal(begun.length, 214);
  await made.stop();
});

test("fewer boxes are under way if the daemon takes fewer than the network", async () => {
  // One channel writes only eight boxes at once. If they take long, more might be under way.
  for (const [most, aloneMs, tookMs] of [
    [Infinity, ROUND_TRIP_MS, 17_000],
    [8, 12_000, 24_000],
  ] as const) {
    const { clock, begun, end, writer, made } = scheduler();
    let ended = 0;
    const source = writer("a", Infinity);
    const { takeTask } = source;
    source.takeTask = (now) => (begun.length - ended < most ? takeTask(now) : null);
    made.measured(aloneMs);
    made.addWriter(source);
    await clock.advance(0);
    assert.equal(begun.length, 8);
    // One box in eight seconds, although two seconds would do for the network.
    for (; ended < 200; ended++) {
      await clock.advance(8000);
      made.measured(tookMs);
      end(1);
    }
    ended += 3;
    end(3);
    await clock.advance(0);
    assert.equal(begun.length - ended, 4);
    await made.stop();
  }
});

test("reads have their share beside writes, and all places without them", async () => {
  for (const [isWriting, most] of [
    [false, 8],
    [true, 4],
  ] as const) {
    const { clock, begun, writer, reader, made } = scheduler();
    made.measured(ROUND_TRIP_MS);
    if (isWriting) made.addWriter(writer("w", Infinity));
    for (let i = 0; i < 10; i++) made.addReader(reader("r", true));
    await clock.advance(100_000);
    assert.equal(begun.filter((name) => name === "r").length, most);
    await made.stop();
  }
});

test("writes have their share although reads came first", async () => {
  const { clock, begun, writer, reader, made } = scheduler();
  made.measured(ROUND_TRIP_MS);
  for (let i = 0; i < 10; i++) made.addReader(reader("r", true));
  await clock.advance(0);
  made.addWriter(writer("w", Infinity));
  await clock.advance(0);
  assert.equal(begun.join(""), "rrrrrrrrwwww");
  await made.stop();
});

test("never more than fourteen boxes are under way", async () => {
  for (const order of ["reads first", "writes first"]) {
    const { clock, begun, writer, reader, made } = scheduler();
    made.measured(60_000);
    const read = (): void => {
      for (let i = 0; i < 20; i++) made.addReader(reader("r", true));
    };
    if (order === "reads first") read();
    await clock.advance(0);
    for (let i = 0; i < 20; i++) made.addWriter(writer("w", 20));
    await clock.advance(0);
    if (order === "writes first") read();
    await clock.advance(100_000);
    assert.equal(begun.length, 14, order);
    await made.stop();
  }
});

test("the first boxes of other channels do not wait for a place among those of a long row", async () => {
  const { clock, begun, end, writer, made } = scheduler();
  made.addWriter(writer("a", 20));
  await clock.advance(0);
  for (const name of ["b", "c", "d"]) made.addWriter(writer(name, 2));
  await clock.advance(0);
  assert.equal(begun.join(""), "aaaabc");
  end(3);
  await clock.advance(0);
  assert.equal(begun.join(""), "aaaabcad");
  await made.stop();
});

test("readers that are due since the same time take turns", async () => {
  const { clock, begun, end, reader, made } = scheduler();
  made.measured(ROUND_TRIP_MS);
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

test("reads that are likely to find a box do not wait for the packets of others", async () => {
  const { clock, begun, end, reader, made } = scheduler();
  for (let i = 0; i < 3; i++) made.addReader(reader("silent", false));
  await clock.advance(0);
  assert.deepEqual(begun, ["silent"]);
  made.addReader(reader("busy", true));
  await clock.advance(0);
  assert.deepEqual(begun, ["silent", "busy", "busy", "busy"]);
  await clock.advance(4100);
  end(4);
  await clock.advance(0);
  assert.equal(begun.filter((name) => name === "silent").length, 2);
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

test("a batch gets its turn beside some writers with long outboxes", async () => {
  const { clock, begun, end, writer, made } = scheduler();
  for (const name of ["a", "b", "c", "d", "e"]) made.addWriter(writer(name, Infinity));
  await clock.advance(0);
  let isBegun = false;
  made.add({ run: async () => void (isBegun = true) });
  for (let n = 0; n < 100; n++) {
    await clock.advance(1000);
    end(1);
  }
  await clock.advance(0);
  assert.ok(isBegun, `${begun.length} boxes began before it`);
  await made.stop();
});

test("reads get their share beside many writers with long outboxes", async () => {
  const { clock, begun, end, writer, reader, made } = scheduler();
  made.measured(60_000);
  for (let i = 0; i < 20; i++) made.addWriter(writer("w", Infinity));
  await clock.advance(0);
  for (let i = 0; i < 3; i++) made.addReader(reader("r", true));
  for (let n = 0; n < 200; n++) {
    await clock.advance(2000);
    end(1);
  }
  await clock.advance(0);
  const reads = begun.filter((name) => name === "r").length;
  assert.ok(reads > 60, `${reads} reads of ${begun.length}`);
  await made.stop();
});

test("a document with a negative LambdaP does not end the reads", async () => {
  const { clock, begun, end, writer, reader, made } = scheduler(-0.001);
  made.measured(ROUND_TRIP_MS);
  made.addWriter(writer("w", Infinity));
  made.addReader(reader("r", false));
  for (let n = 0; n < 30; n++) {
    await clock.advance(10_000);
    end(2);
  }
  const reads = begun.filter((name) => name === "r").length;
  assert.ok(reads > 10, `${reads} reads of ${begun.length}`);
  await made.stop();
});

test("one box that took as long as the machine slept does not change the measures for long", async () => {
  const { clock, begun, end, writer, made } = scheduler();
  for (let n = 0; n < 20; n++) made.measured(1000);
  assert.equal(made.basePauseMs, 2000);
  for (let n = 0; n < 60; n++) made.measured(100);
  const before = made.basePauseMs;
  made.measured(8 * 3600_000);
  for (let n = 0; n < 8; n++) made.measured(100);
  const after = made.basePauseMs;
  made.addWriter(writer("a", Infinity));
  await clock.advance(0);
  assert.ok(
    after < 2 * before && begun.length <= 5,
    `${before} ${after} ms, ${begun.length} boxes`,
  );
  end(1);
  await made.stop();
});

test("two boxes that end in one moment do not hide a slow daemon", async () => {
  const { clock, begun, end, writer, made } = scheduler();
  made.measured(10_000);
  made.addWriter(writer("a", Infinity));
  await clock.advance(0);
  made.measured(10_000);
  made.measured(10_000);
  end(2);
  let ended = 2;
  for (; ended < 300; ended++) {
    await clock.advance(8000);
    made.measured(17_000);
    end(1);
  }
  await clock.advance(0);
  const before = begun.length - ended;
  assert.ok(before <= 5, `${before} under way`);
  await made.stop();
});
