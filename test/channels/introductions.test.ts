/** When introductions are asked for, and sent again; group-introductions.test.ts has them in groups. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { firstIndexOf, generateKeypair, nextMessageBoxIndex } from "../../src/bacap/index.js";
import { utf8 } from "../../src/bytes/bytes.js";
import type { MessageBoxIndex } from "../../src/bytes/opaque.js";
import { Introductions } from "../../src/channels/introductions.js";
import { ChannelStore } from "../../src/channels/store.js";
import type { Scheduler } from "../../src/channels/scheduler.js";
import type { Writer } from "../../src/channels/writer.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { world } from "./world.js";

const DAY = 24 * 3600 * 1000;
const BASE_MS = 2000;

/** Introductions with a store, and doubles of the scheduler and the writer. */
async function setUp() {
  const { clock, boxes } = world();
  const disk = new Disk();
  const database = new CrashDatabase(disk);
  await database.open();
  const store = await ChannelStore.open(database, clock, null);
  const { writeCap, readCap } = generateKeypair();
  let next = firstIndexOf(writeCap);
  const take = (): MessageBoxIndex => {
    const index = next;
    next = nextMessageBoxIndex(next);
    return index;
  };
  const writer = {
    isForked: false,
    waiting: [] as { readonly id: bigint }[],
    sent: [] as Uint8Array[],
    outbox: async () => writer.waiting,
    readCap: () => readCap,
    checkUsable: () => {},
    get nextIndex() {
      return next;
    },
    composeMessage: (_draft: unknown, message: Uint8Array) => {
      writer.sent.push(message);
      boxes.put(writeCap, take(), message);
      return {};
    },
    committedMessage: () => {},
  };
  const readers = new Set<unknown>();
  const scheduler: Partial<Scheduler> = {
    basePauseMs: BASE_MS,
    now: () => clock.monotonic(),
    date: () => clock.now(),
    measured: () => {},
    addReader: (reader) => void readers.add(reader),
    remove: (reader) => void readers.delete(reader),
  };
  const kept = new Introductions(
    {
      client: boxes.client(),
      store,
      scheduler: scheduler as Scheduler,
      writer: () => writer as unknown as Writer,
    },
    "0",
  );
  return {
    clock,
    boxes,
    kept,
    writer,
    writeCap,
    readers,
    keys: () => [...disk.durable.keys()].filter((key) => key.startsWith("intro!")),
    /** Keeps an introduction whose box the network has, and returns the box. */
    introduce: async (root: string): Promise<MessageBoxIndex> => {
      const message = utf8(root);
      const index = take();
      boxes.put(writeCap, index, message);
      await store.commit((draft) => kept.keep(draft, root, message, index));
      return index;
    },
    /** Asks once. */
    ask: (): Promise<void> => clock.runUntil(kept.takeQuestion().run(new AbortController().signal)),
    close: () => clock.runUntil(store.close()),
  };
}

test("old introductions are deleted when another one is kept, also without a restart", async () => {
  const { clock, kept, introduce, keys, close } = await setUp();
  await introduce("bob");
  await clock.advance(6 * DAY);
  await introduce("carol");
  assert.equal(keys().length, 2);
  await clock.advance(DAY);
  await introduce("dave");
  assert.deepEqual(keys().toSorted(), [`${kept.prefix}carol`, `${kept.prefix}dave`]);
  await close();
});

test("nothing is asked without introductions", async () => {
  const { kept, readers, introduce, close } = await setUp();
  kept.check();
  assert.equal(readers.size, 0);
  assert.equal(kept.isWanted, false);
  await introduce("bob");
  kept.check();
  assert.equal(readers.size, 1);
  assert.equal(kept.isWanted, true);
  kept.close();
  assert.equal(readers.size, 0);
  await close();
});

test("all are sent again if the oldest is gone, even if later ones are there", async () => {
  const { boxes, kept, writer, introduce, ask, close } = await setUp();
  const first = await introduce("bob");
  await introduce("carol");
  boxes.lose(writer.readCap(), first);
  kept.check();
  await ask();
  assert.deepEqual(writer.sent, [utf8("bob"), utf8("carol")]);
  assert.equal(kept.isWanted, false);
  // They have new boxes, which are there.
  kept.check();
  await ask();
  assert.equal(writer.sent.length, 2);
  await close();
});

test("none is sent again if the oldest was deleted by us", async () => {
  const { boxes, kept, writer, writeCap, introduce, ask, close } = await setUp();
  const first = await introduce("bob");
  boxes.put(writeCap, first, new Uint8Array(0));
  kept.check();
  await ask();
  assert.deepEqual(writer.sent, []);
  assert.equal(kept.isWanted, false);
  await close();
});

test("a forked channel is not asked about, although its outbox does not become empty", async () => {
  const { boxes, kept, writer, introduce, ask, close } = await setUp();
  await introduce("bob");
  writer.isForked = true;
  writer.waiting = [{ id: 0n }];
  kept.check();
  await ask();
  assert.equal(kept.isWanted, false);
  assert.equal(boxes.reads, 0);
  await close();
});

test("the pauses while it is too early to tell end when another daemon comes", async () => {
  const { boxes, clock, kept, writer, introduce, ask, close } = await setUp();
  await introduce("bob");
  writer.waiting = [{ id: 0n }];
  kept.check();
  for (let n = 0; n < 10; n++) await ask();
  assert.equal(boxes.reads, 0);
  assert.ok(kept.dueAt - clock.monotonic() > 5 * BASE_MS);
  // That a document comes says nothing about the outbox.
  const { dueAt } = kept;
  kept.retry();
  assert.equal(kept.dueAt, dueAt);
  kept.check();
  assert.ok(kept.dueAt <= clock.monotonic());
  await close();
});

test("after a read that failed, the next one waits for a pause, or for a document", async () => {
  const { boxes, clock, kept, introduce, ask, close } = await setUp();
  await introduce("bob");
  boxes.fate = () => ({ delayMs: 10, lost: "request" });
  kept.check();
  await ask();
  assert.equal(kept.isWanted, true);
  assert.equal(kept.dueAt - clock.monotonic(), BASE_MS);
  kept.retry();
  assert.ok(kept.dueAt <= clock.monotonic());
  boxes.fate = () => ({ delayMs: 10, lost: null });
  await ask();
  assert.equal(kept.isWanted, false);
  await close();
});
