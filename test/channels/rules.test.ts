/** What channels promise: nothing lost, nothing twice, in order, whatever fails. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { generateKeypair, nextMessageBoxIndex } from "../../src/bacap/index.js";
import { utf8, utf8ToText } from "../../src/bytes/bytes.js";
import {
  type ChannelDatabase,
  ChannelForkedError,
  ChannelStoreError,
  type Message,
  type Writer,
  openChannels,
} from "../../src/channels/index.js";
import { hasCode } from "../../src/errors/errors.js";
import { ChannelStore } from "../../src/channels/store.js";
import { BoxesDouble } from "./boxes-double.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { take, texts } from "./reading.js";
import { world } from "./world.js";

const DAY = 24 * 3600 * 1000;

/** A reader of a channel in which three messages are stored. */
async function withThreeMessages() {
  const { clock, boxes, open } = world();
  const channels = await open();
  const writer = await channels.create("out");
  const reader = await channels.import("in", await writer.invitation());
  for (const text of ["one", "two", "three"]) {
    await clock.runUntil((await writer.send(text)).stored);
  }
  return { clock, boxes, channels, reader };
}

describe("the rules of channels", () => {
  it("a key that the caller erases at once is the store's key all the same", async () => {
    const { open } = world();
    const disk = new Disk();
    const key = new Uint8Array(32).fill(7);
    const opening = open(disk, { key });
    key.fill(0);
    const channels = await opening;
    await channels.create("out");
    await channels.close();
    const again = await open(disk, { key: new Uint8Array(32).fill(7) });
    assert.equal((await again.list()).length, 1);
    await again.close();
  });

  it("every call with options refuses an unknown one", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    const contact = await clock.runUntil(channels.contacts.invite("bob"));
    const group = await channels.groups.create("all", { displayName: "me" });
    const wrong = { nosuch: 1 } as object;
    const calls: (() => unknown)[] = [
      () => openChannels(boxes.client(), new CrashDatabase(new Disk()), wrong),
      () => channels.create("other", wrong),
      () => channels.adopt("other", writer.writeCap(), wrong),
      async () => channels.import("other", await writer.invitation(), wrong),
      () => channels.contacts.invite("other", wrong),
      () => channels.groups.create("other", { displayName: "me", ...wrong }),
      () => writer.send("text", wrong),
      () => writer.invitation(wrong),
      () => writer.writable(wrong),
      () => reader.messages(wrong),
      () => contact.ready(wrong),
      () => group.joined(wrong),
      () => group.messages(wrong).next(),
      () => group.induct(new Uint8Array(32), wrong),
    ];
    for (const call of calls) {
      await assert.rejects(
        async () => call(),
        { name: "TypeError", message: /^`options\.nosuch` is not an option; known: / },
        String(call),
      );
    }
    await clock.runUntil(channels.close());
  });

  for (const [count, mostMs] of [
    [1, 20_000],
    [3, 20_000],
    [10, 35_000],
  ] as const) {
    it(`${count} new readers get their first messages soon on a slow network, although they look ahead`, async () => {
      const { boxes, clock, open } = world();
      boxes.fate = () => ({ delayMs: 10_000, lost: null });
      const [alice, bob] = [await open(), await open()];
      const arrivals: Promise<number>[] = [];
      const writers: Writer[] = [];
      for (let i = 0; i < count; i++) {
        const writer = await alice.create(`out ${i}`);
        writers.push(writer);
        const reader = await bob.import(`in ${i}`, await writer.invitation());
        arrivals.push(
          reader
            .messages()
            .next()
            .then(() => clock.monotonic()),
        );
      }
      // By now each has missed its first box.
      await clock.advance(15_000);
      for (const writer of writers) await writer.send("hello");
      const storedAt = clock.monotonic() + 10_000;
      for (const at of await clock.runUntil(Promise.all(arrivals))) {
        assert.ok(at - storedAt < mostMs, `${at - storedAt} ms late`);
      }
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    });
  }

  it("a client that was not awaited, or is not a client, is refused, and so is a message of a wrong type", async () => {
    const { boxes, open, clock } = world();
    const cases = [
      [Promise.resolve(boxes.client()), "got Promise: await ThinClient.connect() first"],
      [{}, "got Object"],
      [undefined, "got undefined"],
      [null, "got null"],
    ] as const;
    for (const [client, got] of cases) {
      await assert.rejects(openChannels(client as never, new CrashDatabase(new Disk())), {
        name: "TypeError",
        message: `\`client\` must be a ThinClient, ${got}`,
      });
    }
    const channels = await open();
    const writer = await channels.create("out");
    await assert.rejects(writer.send(5 as never), {
      name: "TypeError",
      message: "`message` must be a Uint8Array or a string, got number",
    });
    await clock.runUntil(channels.close());
  });

  it("an option of a wrong type is refused, such as 0 for false in `history`", async () => {
    const { open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const no = 0 as unknown as boolean;
    const group = await channels.groups.create("all", { displayName: "me" });
    await assert.rejects(writer.invitation({ history: no }), {
      name: "TypeError",
      message: "`options.history` must be a boolean, got number",
    });
    await assert.rejects(group.induct(new Uint8Array(32), { history: no }), {
      name: "TypeError",
      message: "`options.history` must be a boolean, got number",
    });
    for (const maxQueued of [0, 1.5, NaN, "8" as unknown as number]) {
      assert.throws(() => writer.writable({ maxQueued }), {
        name: "RangeError",
        message: `\`options.maxQueued\` must be a positive integer, got ${maxQueued}`,
      });
    }
    await channels.close();
  });

  it("a lost reply loses no message, whatever is sent next", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    const lost = ["reply", "request", "reply", null] as const;
    let call = 0;
    boxes.fate = () => ({ delayMs: 20, lost: lost[call++] ?? null });
    const sent = ["first", "second", "third"];
    for (const text of sent) await clock.runUntil(writer.send(text));
    const messages = await clock.runUntil(take(reader, 3));
    assert.deepEqual(texts(messages), sent);
    assert.ok(messages.every(({ gap }) => gap === 0));
    await clock.runUntil(channels.close());
  });

  it("a restored backup causes a ChannelForkedError, and no message is skipped", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const first = await open(disk);
    const writer = await first.create("out");
    await clock.runUntil((await writer.send("one")).stored);
    await clock.runUntil(first.close());
    const backup = disk.copy();
    const second = await open(disk);
    await clock.runUntil((await (await second.writer("out")).send("two")).stored);
    await clock.runUntil(second.close());

    const restored = await open(backup);
    const late = await restored.writer("out");
    const delivery = await late.send("another two");
    await assert.rejects(clock.runUntil(delivery.stored), (error) => {
      assert.ok(error instanceof ChannelForkedError);
      assert.equal(error.id, delivery.id);
      assert.ok(hasCode(error, "ERR_CHANNEL_FORKED"));
      return true;
    });
    assert.equal(delivery.state, "failed");
    await assert.rejects(late.send("three"), ChannelForkedError);
    assert.equal((await restored.list())[0]!.isForked, true);
    await clock.runUntil(restored.close());
    // The mark is stored, so another process sees it too.
    const again = await open(backup);
    await assert.rejects((await again.writer("out")).send("four"), ChannelForkedError);
    await clock.runUntil(again.close());
  });

  it("after a restored backup, identical bytes in the box count as a success", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const first = await open(disk);
    const writer = await first.create("out");
    const backup = disk.copy();
    await clock.runUntil((await writer.send("one")).stored);
    await clock.runUntil(first.close());
    const restored = await open(backup);
    const delivery = await (await restored.writer("out")).send("one");
    await clock.runUntil(delivery.stored);
    await clock.runUntil(restored.close());
  });

  for (const [away, sentMeanwhile] of [
    [14, 3],
    [14, 40],
    [14, 700],
  ] as const) {
    it(`${sentMeanwhile} boxes that were lost in ${away} days away are reported as a gap of that size`, async () => {
      const { clock, boxes, open } = world();
      boxes.lifetimeMs = 7 * DAY;
      const writing = await open();
      const writer = await writing.create("out");
      const disk = new Disk();
      const reading = await open(disk);
      const reader = await reading.import("in", await writer.invitation());
      await clock.runUntil((await writer.send("seen")).stored);
      assert.deepEqual(texts(await clock.runUntil(take(reader, 1))), ["seen"]);
      await clock.runUntil(reading.close());
      for (let i = 0; i < sentMeanwhile; i++) await writer.send(`lost ${i}`);
      while (writer.queued > 0) await clock.advance(1000);
      await clock.advance(away * DAY);
      await writer.send("news");
      await clock.advance(60_000);
      const back = await open(disk);
      const [message] = await clock.runUntil(take(await back.reader("in"), 1), DAY);
      assert.equal(utf8ToText(message!.bytes), "news");
      assert.equal(message!.gap, sentMeanwhile);
      assert.equal(message!.mayBeCut, false);
      await clock.runUntil(back.close());
      await clock.runUntil(writing.close());
    });
  }

  it("a box that is only late is waited for", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    let call = 0;
    // The first box takes half an hour; the boxes after it arrive at once.
    boxes.fate = () => ({ delayMs: call++ === 0 ? 1_800_000 : 20, lost: null });
    for (let i = 0; i < 7; i++) await writer.send(String(i));
    const messages = await clock.runUntil(take(reader, 7));
    assert.deepEqual(texts(messages), ["0", "1", "2", "3", "4", "5", "6"]);
    assert.ok(messages.every(({ gap }) => gap === 0));
    await clock.runUntil(channels.close());
  });

  it("twenty idle contacts leave at least half of the packets to writes", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const abort = new AbortController();
    const idle: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      const other = await channels.create(`silent ${i}`);
      const reader = await channels.import(`contact ${i}`, await other.invitation());
      idle.push(
        reader
          .messages({ signal: abort.signal })
          .next()
          .catch(() => {}),
      );
    }
    boxes.fate = () => ({ delayMs: 4000, lost: null });
    await clock.advance(3_600_000);
    const before = { reads: boxes.reads, writes: boxes.writes };
    for (let i = 0; i < 50; i++) await writer.send(String(i));
    while (writer.queued > 0) await clock.advance(1000);
    const reads = boxes.reads - before.reads;
    const writes = boxes.writes - before.writes;
    assert.equal(writes, 50);
    assert.ok(reads <= writes, `${reads} reads beside ${writes} writes`);
    abort.abort();
    await Promise.all(idle);
    await clock.runUntil(channels.close());
  });

  for (const hours of [-2, 2]) {
    it(`a wall clock that is set by ${hours} hours delays neither side`, async () => {
      const { clock, boxes, open } = world();
      const [alice, bob] = [await open(), await open()];
      const writer = await alice.create("out");
      const reader = await bob.import("in", await writer.invitation());
      boxes.fate = () => ({ delayMs: 10, lost: "request" });
      const delivery = await clock.runUntil(writer.send("one"));
      const reading = take(reader, 1);
      await clock.advance(10_000);
      clock.aheadMs = hours * 3_600_000;
      boxes.fate = () => ({ delayMs: 10, lost: null });
      await clock.runUntil(delivery.stored, 10 * 60_000);
      assert.deepEqual(texts(await clock.runUntil(reading, 10 * 60_000)), ["one"]);
      const contact = await clock.runUntil(alice.contacts.invite("bob"));
      const other = await clock.runUntil(bob.contacts.accept(contact.voucher!, "alice"));
      clock.aheadMs = 0;
      await clock.runUntil(Promise.all([contact.ready(), other.ready()]), 10 * 60_000);
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    });
  }

  it("a channel without a listener reads nothing", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    await channels.import("in", await writer.invitation());
    await clock.advance(DAY);
    assert.equal(boxes.reads, 0);
    await clock.runUntil(channels.close());
  });

  it("a message that cannot be stored in time is not sent", async () => {
    const { clock, boxes } = world();
    /** A disk that takes a second for everything. */
    class SlowDatabase extends CrashDatabase {
      override async batch(...given: Parameters<CrashDatabase["batch"]>): Promise<void> {
        await clock.sleep(1000);
        return super.batch(...given);
      }
    }
    const channels = await clock.runUntil(
      openChannels(boxes.client(), new SlowDatabase(new Disk()), { clock }),
    );
    const writer = await clock.runUntil(channels.create("out"));
    boxes.fate = () => ({ delayMs: 20, lost: "request" });
    const first = writer.send("stored", { timeoutMs: 5000 });
    await clock.advance(100);
    const signal = AbortSignal.abort(new Error("given up"));
    const late = [
      writer.send("too late", { timeoutMs: 500 }),
      writer.send("given up", { signal }),
      writer.send("in time", { timeoutMs: 1500 }),
    ];
    const outcomes = await clock.runUntil(Promise.allSettled([first, ...late]));
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status === "fulfilled" || String(outcome.reason)),
      [
        true,
        "RequestTimeoutError: the message was not stored within 500 ms, and will not be sent",
        "Error: given up",
        true,
      ],
    );
    assert.equal(writer.queued, 2);
    await assert.rejects(writer.send("wrong", { timeoutMs: 0 }), RangeError);
    await clock.runUntil(channels.close());
  });

  it("a message that a full disk refuses is not sent, and can be sent once there is room", async () => {
    const { clock, open, boxes } = world();
    const database = new CrashDatabase(new Disk());
    const channels = await openChannels(boxes.client(), database, { clock });
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    await clock.runUntil(writer.send("one"));
    database.failing = true;
    await assert.rejects(clock.runUntil(writer.send("two")), (error) => {
      assert.ok(error instanceof ChannelStoreError);
      assert.match(error.message, /none of it is stored/);
      return true;
    });
    assert.equal(writer.queued, 1);
    database.failing = false;
    await clock.runUntil(writer.send("two again"));
    await clock.runUntil(writer.send("three"));
    const messages = await clock.runUntil(take(reader, 3));
    assert.deepEqual(texts(messages), ["one", "two again", "three"]);
    assert.ok(messages.every(({ gap }) => gap === 0));
    await clock.runUntil(channels.close());
    void open;
  });

  it("messages that a full disk kept in the outbox are sent later, before the next ones", async () => {
    const { clock, open, boxes } = world();
    const disk = new Disk();
    const database = new CrashDatabase(disk);
    const channels = await openChannels(boxes.client(), database, { clock });
    const writer = await channels.create("out");
    await channels.import("in", await writer.invitation());
    await clock.runUntil((await writer.send("one")).stored);
    database.failing = true;
    await clock.advance(60_000);
    database.failing = false;
    await clock.runUntil((await writer.send("two")).stored);
    boxes.fate = () => ({ delayMs: 10, lost: "request" });
    await clock.runUntil(writer.send("three"));
    await clock.runUntil(channels.close());
    const left = [...disk.durable.keys()].filter((key) => key.startsWith("out!"));
    assert.equal(left.length, 1);
    boxes.fate = () => ({ delayMs: 10, lost: null });
    const again = await open(disk);
    const messages = await clock.runUntil(take(await again.reader("in"), 3));
    assert.deepEqual(texts(messages), ["one", "two", "three"]);
    await clock.runUntil(again.close());
  });

  it("a reader continues while a failed commit opens the database again", async () => {
    const { clock, boxes } = world();
    /** Takes time to close and to open, as LevelDB does, and cannot be read meanwhile. */
    class SlowDatabase extends CrashDatabase {
      isOpen = false;
      override async open(): Promise<void> {
        await clock.sleep(10);
        await super.open();
        this.isOpen = true;
      }
      override async close(): Promise<void> {
        this.isOpen = false;
        await clock.sleep(10);
        await super.close();
      }
      override async get(key: string): Promise<Uint8Array | undefined> {
        if (!this.isOpen) throw new Error("Database is not open");
        return super.get(key);
      }
      override iterator(...range: Parameters<CrashDatabase["iterator"]>) {
        if (!this.isOpen) throw new Error("Database is not open");
        const entries = super.iterator(...range);
        const check = async (): Promise<void> => {
          await clock.sleep(1);
          if (!this.isOpen) throw new Error("Iterator is not open");
        };
        return {
          nextv: async (size: number) => (await check(), entries.nextv(size)),
          close: () => entries.close(),
          async *[Symbol.asyncIterator]() {
            for await (const entry of entries) {
              await check();
              yield entry;
            }
          },
        };
      }
    }
    const database = new SlowDatabase(new Disk());
    const channels = await clock.runUntil(openChannels(boxes.client(), database, { clock }));
    const writer = await clock.runUntil(channels.create("out"));
    const reader = await clock.runUntil(channels.import("in", await writer.invitation()));
    for (let i = 0; i < 30; i++) await clock.runUntil(writer.send(String(i)));
    await clock.runUntil(take(reader, 30));
    const again: Message[] = [];
    const replay = async (): Promise<void> => {
      for await (const message of reader.messages({ from: 0n })) {
        if (again.push(message) === 30) return;
        await clock.sleep(3);
      }
    };
    const replaying = replay();
    for (let i = 0; i < 10; i++) {
      await clock.advance(i);
      database.failing = true;
      const refused = assert.rejects(writer.send("refused"), ChannelStoreError);
      await clock.advance(1);
      database.failing = false;
      await clock.runUntil(Promise.all([refused, writer.outbox()]));
    }
    await clock.runUntil(replaying);
    const all = Array.from({ length: 30 }, (_, i) => String(i));
    assert.deepEqual(texts(again), all);
    await clock.runUntil(channels.close());
  });

  it("an invitation that is made while a message is refused misses no message", async () => {
    const { clock, boxes, open } = world();
    const database = new CrashDatabase(new Disk());
    const channels = await openChannels(boxes.client(), database, { clock });
    const other = await open();
    const writer = await channels.create("out");
    for (const turns of [0, 1, 2, 3, 4]) {
      database.failing = true;
      const refused = assert.rejects(writer.send("refused"), ChannelStoreError);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const invitation = await writer.invitation({ history: false });
      await clock.runUntil(refused);
      database.failing = false;
      await clock.runUntil(writer.send(`kept ${turns}`));
      const reader = await other.import(`in ${turns}`, invitation);
      const [message] = await clock.runUntil(take(reader, 1), 60_000);
      assert.equal(texts([message!])[0], `kept ${turns}`);
    }
    await clock.runUntil(Promise.all([channels.close(), other.close()]));
  });

  it("channels close while the disk is full", async () => {
    const { clock, open, boxes } = world();
    const disk = new Disk();
    const database = new CrashDatabase(disk);
    const channels = await openChannels(boxes.client(), database, { clock });
    const writer = await channels.create("out");
    await clock.runUntil((await writer.send("one")).stored);
    database.failing = true;
    await clock.runUntil(channels.close());
    const again = await open(disk);
    await clock.runUntil((await (await again.writer("out")).send("two")).stored);
    await clock.runUntil(again.close());
  });

  it("a gap in the outbox is found when the store is opened, and its position is named", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const channels = await openChannels(
      {
        ...new BoxesDouble(clock).client(),
        pigeonholeGeometry: { maxPlaintextPayloadLength: 60 } as never,
      },
      new CrashDatabase(disk),
      { clock },
    );
    const writer = await channels.create("out");
    for (let i = 0; i < 5; i++) await writer.send(String(i));
    await channels.close();
    const keys = [...disk.durable.keys()].filter((key) => key.startsWith("out!"));
    disk.durable.delete(keys[2]!);
    await assert.rejects(open(disk), /outbox of channel "out" has a gap: messages 2 to 2/);
  });

  it("an outbox whose last messages are missing is found, even if the store's totals are right", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const channels = await open(disk);
    const writer = await channels.create("out");
    for (let i = 0; i < 5; i++) await writer.send(String(i));
    await channels.close();
    const database = new CrashDatabase(disk);
    await database.open();
    const store = await ChannelStore.open(database, clock, null);
    const keys = [...disk.durable.keys()].filter((key) => key.startsWith("out!"));
    await store.commit((draft) => {
      for (const key of keys.slice(3)) draft.delete(key);
    });
    await store.close();
    await assert.rejects(open(disk), /outbox of channel "out" has a gap: messages 3 to 4/);
  });

  it("values of an encrypted store reveal nothing, and cannot be read without its key", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const key = new Uint8Array(32).fill(7);
    const channels = await open(disk, { key });
    const writer = await channels.create("secret name");
    await writer.send("secret words");
    await clock.runUntil(channels.close());
    const stored = Buffer.concat([...disk.durable.values()]).toString("latin1");
    assert.ok(!stored.includes("secret"));
    assert.ok(![...disk.durable.keys()].some((name) => name.includes("secret")));
    await assert.rejects(open(disk), /the store is encrypted/);
    await assert.rejects(open(disk, { key: new Uint8Array(32) }), /does not open the store/);
    await assert.rejects(open(disk, { passphrase: "other" }), /does not open the store/);
    const again = await open(disk, { key });
    assert.equal((await again.writer("secret name")).name, "secret name");
    await clock.runUntil(again.close());
  });

  it("a message that was delivered and not acknowledged is delivered again with the same id", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const channels = await open(disk);
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    for (const text of ["a", "b", "c"]) await writer.send(text);
    const ids: bigint[] = [];
    await clock.runUntil(
      (async () => {
        for await (const { id } of reader) if (ids.push(id) === 2) break;
      })(),
    );
    await clock.runUntil(channels.close());
    const again = await open(disk);
    const messages = await clock.runUntil(take(await again.reader("in"), 2));
    assert.deepEqual(texts(messages), ["b", "c"]);
    assert.equal(messages[0]!.id, ids[1]);
    // Reading from 0 returns the whole channel.
    const whole: string[] = [];
    await clock.runUntil(
      (async () => {
        for await (const { bytes } of (await again.reader("in")).messages({ from: 0n })) {
          if (whole.push(utf8ToText(bytes)) === 3) break;
        }
      })(),
    );
    assert.deepEqual(whole, ["a", "b", "c"]);
    await clock.runUntil(again.close());
  });

  it("a message that arrives while the store is read is delivered without waiting for another", async () => {
    const { clock, boxes, open } = world();
    boxes.fate = () => ({ delayMs: 7, lost: null });
    const ours = await open();
    /** Each read takes a while and returns the data from when it began. */
    class SlowDatabase extends CrashDatabase {
      override iterator(
        range: Parameters<CrashDatabase["iterator"]>[0],
      ): ReturnType<CrashDatabase["iterator"]> {
        const found = super.iterator(range);
        const wait = (): Promise<void> => clock.sleep(20);
        return {
          nextv: async (size) => (await wait(), found.nextv(size)),
          close: () => found.close(),
          async *[Symbol.asyncIterator]() {
            await wait();
            yield* found;
          },
        };
      }
    }
    const theirs = await clock.runUntil(
      openChannels(boxes.client(), new SlowDatabase(new Disk()), { clock }),
    );
    const writer = await ours.create("out");
    const reader = await clock.runUntil(theirs.import("in", await writer.invitation()));
    const messages = reader.messages();
    for (let i = 0; i < 30; i++) {
      const next = messages.next();
      await clock.advance(i * 3);
      await clock.runUntil(writer.send(String(i)));
      const { value } = await clock.runUntil(next, 60_000);
      assert.equal(utf8ToText((value as Message).bytes), String(i));
    }
    await clock.runUntil(Promise.all([ours.close(), theirs.close()]));
  });

  it("a commit that is requested as the previous one ends is not lost", async () => {
    const { clock } = world();
    const database = new CrashDatabase(new Disk());
    await database.open();
    const store = await ChannelStore.open(database, clock, null);
    const put = (): Promise<void> => store.commit((draft) => draft.put("out!x!1", 1));
    for (let turns = 0; turns < 20; turns++) {
      const both = async (): Promise<void> => {
        await put();
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        await put();
      };
      await clock.runUntil(both(), 1000);
    }
    await store.close();
  });

  it("a message does not wait for the read of a later box", async () => {
    const { clock, boxes, channels, reader } = await withThreeMessages();
    // The first read finds one box, so the next asks for two; a courier takes long over the second.
    let call = 0;
    boxes.fate = () => ({ delayMs: ++call === 3 ? 60_000 : 20, lost: null });
    const since = clock.now();
    assert.deepEqual(texts(await clock.runUntil(take(reader, 2))), ["one", "two"]);
    assert.ok(clock.now() - since < 1000, `${clock.now() - since} ms`);
    assert.deepEqual(texts(await clock.runUntil(take(reader, 1))), ["three"]);
    await clock.runUntil(channels.close());
  });

  it("a box that was read is kept when the read of a later one fails", async () => {
    const { clock, boxes, channels, reader } = await withThreeMessages();
    let call = 0;
    boxes.fate = () => ({ delayMs: 20, lost: ++call === 3 ? "request" : null });
    assert.deepEqual(texts(await clock.runUntil(take(reader, 3))), ["one", "two", "three"]);
    // One, then two and three, then three again, perhaps with what may come after it.
    assert.ok(boxes.reads >= 3 && boxes.reads <= 5, `${boxes.reads} reads`);
    await clock.runUntil(channels.close());
  });

  it("a message of one box can be too long as well", async () => {
    const { clock, boxes, open } = world();
    const channels = await open(new Disk(), { maxMessageLength: 10 });
    const { writeCap, readCap, firstMessageIndex } = generateKeypair();
    let index = firstMessageIndex;
    for (const box of [
      "M\0longer than that",
      "Flonger than that",
      "M\0not longer",
      "Fnot longer",
    ]) {
      boxes.put(writeCap, index, utf8(box));
      index = nextMessageBoxIndex(index);
    }
    const reader = await channels.import("in", readCap);
    const seen: string[] = [];
    await clock.runUntil(
      (async () => {
        for await (const { kind, bytes } of reader) {
          if (seen.push(`${kind} ${utf8ToText(bytes)}`) === 4) break;
        }
      })(),
    );
    assert.deepEqual(seen, ["tooLong ", "tooLong ", "message not longer", "message not longer"]);
    await clock.runUntil(channels.close());
  });

  it("a message is sent, and invitations are right, if the disk stores it and reports a failure", async () => {
    const { clock, boxes, open } = world();
    const database = new CrashDatabase(new Disk());
    const channels = await openChannels(boxes.client(), database, { clock });
    const writer = await channels.create("out");
    await clock.runUntil((await writer.send("one")).stored);
    const batch = database.batch.bind(database);
    database.batch = async (...given) => {
      await batch(...given);
      database.batch = batch;
      throw new Error("EIO: i/o error");
    };
    const delivery = await clock.runUntil(writer.send("two"));
    const invitation = await writer.invitation();
    const { readCap } = await writer.invitation({ history: false });
    await clock.runUntil(writer.send("three"));
    await clock.runUntil(writer.outbox());
    const other = await open();
    const readers = [
      await other.import("next", invitation),
      await other.import("without history", readCap),
    ];
    for (const reader of readers) {
      assert.deepEqual(texts(await clock.runUntil(take(reader, 1))), ["three"]);
    }
    const all = await other.import("all", invitation, { from: "start" });
    assert.deepEqual(texts(await clock.runUntil(take(all, 3))), ["one", "two", "three"]);
    await clock.runUntil(delivery.stored);
    await clock.runUntil(Promise.all([channels.close(), other.close()]));
  });

  it("an outbox does not list a message that was just stored", async () => {
    const { clock, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const first = await writer.send("first");
    const second = await writer.send("second");
    await clock.runUntil(first.stored);
    const before = await writer.outbox();
    assert.deepEqual(
      before.map(({ id }) => id),
      second.state === "stored" ? [] : [second.id],
    );
    await clock.runUntil(second.stored);
    assert.deepEqual(await writer.outbox(), []);
    await clock.runUntil(channels.close());
  });

  it("two simultaneous batches are both sent", async () => {
    const { clock, open } = world();
    const channels = await open();
    const [one, other] = [await channels.create("one"), await channels.create("other")];
    const readers = [
      await channels.import("from one", await one.invitation()),
      await channels.import("from other", await other.invitation()),
    ];
    const batches = [one, other].map((writer) =>
      channels.atomically((batch) => batch.send(writer, writer.name)),
    );
    for (const delivery of await clock.runUntil(Promise.all(batches))) {
      await clock.runUntil(delivery.stored);
    }
    const read = readers.map((reader) => take(reader, 1));
    const messages = (await clock.runUntil(Promise.all(read))).flat();
    assert.deepEqual(texts(messages), ["one", "other"]);
    await clock.runUntil(channels.close());
  });

  it("a failed batch does not seal its remaining boxes", async () => {
    const { clock, boxes } = world();
    let sealed = 0;
    const client = boxes.client();
    const seal = client.createCourierEnvelopesFromMultiPayload.bind(client);
    client.createCourierEnvelopesFromMultiPayload = (...args) => {
      sealed++;
      return seal(...args);
    };
    const channels = await openChannels(client, new CrashDatabase(new Disk()), { clock });
    const writer = await channels.create("out");
    let calls = 0;
    boxes.fate = () => ({ delayMs: 10, lost: ++calls === 4 ? "request" : null });
    const delivery = await clock.runUntil(
      channels.atomically((batch) => batch.send(writer, "x".repeat(20_000))),
    );
    await clock.runUntil(delivery.stored);
    const pieces = Math.ceil(20_000 / 54 / 32);
    assert.ok(sealed < 1.5 * pieces, `${sealed} calls for ${pieces} pieces and one failure`);
    await clock.runUntil(channels.close());
  });
});

/** The compiler checks that the test databases are level databases for channels. */
export type Fits<T extends ChannelDatabase = CrashDatabase> = T;
