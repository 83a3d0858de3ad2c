/** The steps of one look ahead; look-ahead.test.ts has readers that look ahead. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  firstIndexOf,
  generateKeypair,
  messageBoxCounter,
  nextMessageBoxIndex,
} from "../../src/bacap/index.js";
import type { MessageBoxIndex } from "../../src/bytes/opaque.js";
import { Horizon, LookAhead } from "../../src/channels/look-ahead.js";
import type { Scheduler } from "../../src/channels/scheduler.js";

const BASE_MS = 2000;
/** The distances that every look visits. */
const MARKS = Array.from({ length: 11 }, (_, n) => 2 ** n);

interface Options {
  /** The boxes that are there, by distance, with how many before each may not have been stored. */
  readonly there?: Readonly<Record<number, number>>;
  readonly isLikely?: boolean;
  /** Called before each read. */
  readonly onRead?: (count: number, look: LookAhead) => void;
  /** Called when the look knows what is gone. */
  readonly onGone?: (look: LookAhead) => void;
}

function setUp(options: Options = {}) {
  const { there = {}, isLikely = false, onRead = () => {}, onGone = () => {} } = options;
  const missing = firstIndexOf(generateKeypair().writeCap);
  const boxes = new Map(Object.entries(there).map(([at, behind]) => [Number(at), behind]));
  const time = { ms: 5000 };
  const readers = new Set<unknown>();
  const scheduler: Partial<Scheduler> = {
    basePauseMs: BASE_MS,
    now: () => time.ms,
    sleep: () => Promise.resolve(),
    addReader: (reader) => void readers.add(reader),
    remove: (reader) => void readers.delete(reader),
  };
  const distanceOf = (index: MessageBoxIndex): number =>
    Number(messageBoxCounter(index) - messageBoxCounter(missing));
  const made = {
    time,
    boxes,
    readers,
    horizon: new Horizon(true),
    /** The distances that were read. */
    read: [] as number[],
    held: [] as boolean[],
    patienceMs: 0,
    /** What the look told its reader. */
    told: [] as string[],
    next: null as MessageBoxIndex | null,
  };
  const look: LookAhead = new LookAhead({
    scheduler: scheduler as Scheduler,
    missing,
    horizon: made.horizon,
    isLikely,
    read: async (index) => {
      const distance = distanceOf(index);
      onRead(made.read.push(distance), look);
      const behind = boxes.get(distance);
      if (behind === undefined) return { kind: "missing" };
      return { kind: "found", plaintext: Uint8Array.of(0x4d, behind) };
    },
    mayRead: (isHeld) => (made.held.push(isHeld), true),
    patienceMs: () => made.patienceMs,
    onStored: () => made.told.push("stored"),
    onGone: async (lost, next) => {
      onGone(look);
      made.told.push(`${lost} gone`);
      made.next = next;
    },
    onEnd: (error) => made.told.push(error === null ? "end" : (error as Error).message),
  });
  const signal = new AbortController();
  /** Makes steps until the look tells something, at most `most`. */
  const run = async (most = 1000): Promise<void> => {
    for (let n = 0; n < most && made.told.length === 0; n++) {
      await look.takeQuestion().run(signal.signal);
    }
  };
  return Object.assign(made, { look, run, missing, signal });
}

for (const [isLikely, more] of [
  [false, 16],
  [true, 48],
] as const) {
  test(`a look visits eleven marks and ${more} other places, each in a turn of its own`, async () => {
    const made = setUp({ isLikely });
    const { look, read, time, readers, run } = made;
    assert.equal(readers.size, 1);
    assert.equal(look.dueAt, time.ms + BASE_MS);
    for (let n = 1; n <= 11 + more; n++) {
      time.ms += 10_000;
      await run(1);
      assert.equal(read.length, n);
      assert.equal(look.dueAt, time.ms + BASE_MS);
    }
    assert.deepEqual(read.slice(0, 11), MARKS);
    assert.equal(new Set(read).size, 11 + more);
    await run(1);
    assert.deepEqual(made.told, ["end"]);
    assert.equal(look.isHeld, false);
  });
}

test("a look waits longer for its turn than its reader, but not while everything waits for it", async () => {
  const made = setUp({ there: { 4: 0 } });
  const { look, run } = made;
  assert.equal(look.patienceMs, 60_000);
  made.patienceMs = 100_000;
  assert.equal(look.patienceMs, 400_000);
  await run(3);
  assert.equal(look.isWanted, true);
  assert.deepEqual(made.held, [false]);
  await run(1);
  assert.equal(look.isHeld, true);
  // An attempt of the reader may still be in progress.
  assert.equal(made.read.length, 3);
  assert.equal(look.patienceMs, 0);
  assert.equal(look.isWanted, true);
  assert.deepEqual(made.held, [false, true]);
  await run();
  assert.deepEqual(made.told, ["4 gone", "end"]);
});

test("a look never skips a box that may not have been stored yet", async () => {
  const made = setUp({ there: { 8: 3 } });
  await made.run();
  // The boxes at distance 5, 6 and 7 may be on their way.
  assert.deepEqual(made.told, ["5 gone", "end"]);
  assert.equal(messageBoxCounter(made.next!) - messageBoxCounter(made.missing), 5n);
});

test("a look finds the first box that is left, and does not skip one that it has seen", async () => {
  const all = Object.fromEntries(Array.from({ length: 64 }, (_, n) => [n + 37, 0]));
  const run = setUp({ there: all });
  await run.run();
  assert.deepEqual(run.told, ["37 gone", "end"]);
  // The box at distance 2 proves nothing by itself.
  const single = setUp({ there: { 2: 7, 16: 0 } });
  await single.run();
  assert.deepEqual(single.told, ["2 gone", "end"]);
});

test("boxes that prove nothing end a look without a loss", async () => {
  const made = setUp({ there: { 1: 7, 4: 7 } });
  await made.run();
  assert.deepEqual(made.told, ["end"]);
});

for (const again of [1, 2]) {
  test(`a box that is there when it is asked for again, the time number ${again}, was only late`, async () => {
    let asked = 0;
    const made = setUp({
      there: { 2: 0 },
      onRead: () => {
        if (made.read.at(-1) === 0 && ++asked === again) made.boxes.set(0, 0);
      },
    });
    await made.run();
    assert.deepEqual(made.told, ["stored", "end"]);
    assert.equal(asked, again);
  });
}

test("a look that was ended reads and tells nothing more", async () => {
  for (const last of [1, 3, 4, 5, 27]) {
    const there = last === 27 ? {} : { 4: 0 };
    const made = setUp({
      there,
      onRead: (count, look) => {
        if (count === last) look.end();
      },
    });
    // The read in progress is the last one of its scheduler.
    while (made.readers.size > 0) await made.run(1);
    assert.equal(made.read.length, last);
    assert.deepEqual(made.told, []);
    assert.equal(made.look.isHeld, last > 3 && last < 27);
  }
});

test("a look whose reader has moved on does not tell its end, or an error", async () => {
  const moved = setUp({ there: { 4: 0 }, onGone: (look) => look.end() });
  while (moved.readers.size > 0) await moved.run(1);
  assert.deepEqual(moved.told, ["4 gone"]);
  const failed = setUp({
    onRead: (_count, look) => {
      look.end();
      throw new Error("no network");
    },
  });
  await failed.run(1);
  assert.deepEqual(failed.told, []);
});

test("a read that fails ends the look with its error, unless the channels close", async () => {
  for (const isClosing of [false, true]) {
    const made = setUp({
      onRead: () => {
        if (isClosing) made.signal.abort();
        throw new Error("no network");
      },
    });
    await made.run(1);
    assert.deepEqual(made.told, isClosing ? [] : ["no network"]);
  }
});

test("places are computed once: a later look knows the index of each near place", () => {
  const horizon = new Horizon(false);
  const start = firstIndexOf(generateKeypair().writeCap);
  const indexAt = new Map([[0, start]]);
  for (let at = 1, index = start; at < 1024; at++) {
    index = nextMessageBoxIndex(index);
    indexAt.set(at, index);
  }
  let near = 0;
  while (!horizon.isDone) {
    if (!horizon.isNearDone) near++;
    const { distance } = horizon;
    horizon.visited({ index: indexAt.get(distance)!, distance });
  }
  for (let n = 0; n < near; n++) {
    const { distance, from } = horizon;
    assert.equal(from?.distance, distance);
    assert.equal(from.index, indexAt.get(distance));
    horizon.visited(from);
  }
});
