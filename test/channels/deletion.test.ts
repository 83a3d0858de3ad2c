/** What a deleted message, or a deleted channel, leaves behind. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { firstIndexOf, nextMessageBoxIndex } from "../../src/bacap/index.js";
import { ReadCap } from "../../src/bytes/opaque.js";
import { ChannelStoreError, openChannels } from "../../src/channels/index.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { take, texts } from "./reading.js";
import { world } from "./world.js";

describe("deletion in channels", () => {
  it("deleting a message far from the beginning does not block the event loop", async () => {
    const { clock, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    await clock.runUntil(writer.send("x".repeat(60 * 2000)));
    const { id } = await clock.runUntil(writer.send("last"));
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await clock.runUntil(writer.delete(id).finally(() => (isOver = true)));
    assert.ok(turns >= 8, `${turns} turns for 2,000 steps`);
    await clock.runUntil(channels.close());
  });

  it("a deleted message reads as deleted", async () => {
    const { clock, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const invitation = await writer.invitation();
    const first = await writer.send("x".repeat(200));
    await writer.send("kept");
    await clock.runUntil((await writer.delete(first.id)).stored);
    const reader = await channels.import("in", invitation);
    const messages = await clock.runUntil(take(reader, 5));
    assert.deepEqual(
      messages.map(({ kind }) => kind),
      ["deleted", "deleted", "deleted", "deleted", "message"],
    );
    await clock.runUntil(channels.close());
  });

  it("a message is deleted whole or not at all: another box's id is refused", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const channels = await open(disk);
    const writer = await channels.create("out");
    const invitation = await writer.invitation();
    const one = await writer.send("one");
    const long = await writer.send("x".repeat(200));
    const other = await writer.send("y".repeat(100));
    const last = await writer.send("last");
    assert.equal(long.boxes, 4);
    const refuse = async (id: bigint, why: string): Promise<void> => {
      await assert.rejects(clock.runUntil(writer.delete(id)), {
        name: "RangeError",
        message: `\`id\` must be the id of a message of this channel, got ${id}${why}`,
      });
    };
    for (const box of [1n, 2n, 3n]) {
      await refuse(long.id + box, `: a later box of message ${long.id}`);
    }
    await refuse(other.id + 1n, `: a later box of message ${other.id}`);
    await refuse(last.id + 1n, ", which was not sent");
    await refuse(one.id - 1n, "");
    await refuse(5 as never, "");
    assert.equal((await writer.outbox()).length, 4);
    for (const { id } of [one, long, last]) {
      await clock.runUntil((await clock.runUntil(writer.delete(id))).stored);
    }
    const reader = await channels.import("in", invitation);
    const messages = await clock.runUntil(take(reader, 7));
    assert.deepEqual(
      messages.map(({ id, kind }) => [id, kind]),
      [
        [one.id, "deleted"],
        [long.id, "deleted"],
        [long.id + 1n, "deleted"],
        [long.id + 2n, "deleted"],
        [long.id + 3n, "deleted"],
        [other.id, "message"],
        [last.id, "deleted"],
      ],
    );
    await clock.runUntil(channels.close());
  });

  it("a long message in katzenqt's format is deleted together with its side stream", async () => {
    const { clock, boxes, open } = world();
    const disk = new Disk();
    let channels = await open(disk);
    let writer = await channels.create("out", { format: "katzenqt" });
    const invitation = await writer.invitation();
    const { id, stored } = await writer.send("x".repeat(500));
    await writer.send("kept");
    await clock.runUntil(stored);
    const reference = boxes.get(invitation.readCap, invitation.nextMessageBoxIndex)!;
    const side = ReadCap.from(reference.subarray(1));
    const isGone = (): boolean[] => {
      let index = firstIndexOf(side);
      return Array.from({ length: 9 }, () => {
        const box = boxes.get(side, index);
        index = nextMessageBoxIndex(index);
        return box?.length === 0;
      });
    };
    assert.ok(isGone().every((one) => !one));
    await clock.runUntil(channels.close());
    // Another process deletes it, and is restarted before it is done.
    channels = await open(disk);
    writer = await channels.writer("out");
    const deletion = await clock.runUntil(writer.delete(id));
    assert.equal(deletion.boxes, 10);
    await clock.advance(15);
    await clock.runUntil(channels.close());
    channels = await open(disk);
    writer = await channels.writer("out");
    const [waiting] = await writer.outbox();
    assert.equal(waiting!.boxes, 10);
    boxes.fate = () => ({ delayMs: 1000, lost: null });
    const since = clock.monotonic();
    await clock.runUntil(waiting!.stored);
    // Eight at a time, and the box that refers to them after them.
    assert.equal(clock.monotonic() - since, 3000);
    assert.ok(isGone().every((one) => one));
    assert.equal(boxes.get(invitation.readCap, invitation.nextMessageBoxIndex)!.length, 0);
    const reader = await channels.import("in", invitation);
    const messages = await clock.runUntil(take(reader, 2));
    assert.deepEqual(
      messages.map(({ kind }) => kind),
      ["deleted", "message"],
    );
    await clock.runUntil(channels.close());
  });

  it("the id of a message that is refused by the disk cannot be deleted", async () => {
    const { clock, boxes } = world();
    const database = new CrashDatabase(new Disk());
    const channels = await openChannels(boxes.client(), database, { clock });
    const writer = await channels.create("out");
    const { id } = await writer.send("one");
    database.failing = true;
    const refused = assert.rejects(writer.send("two"), ChannelStoreError);
    await Promise.resolve();
    await Promise.resolve();
    const early = assert.rejects(writer.delete(id + 1n), /got \d+, which was not sent/);
    await clock.runUntil(Promise.all([refused, early]));
    database.failing = false;
    await assert.rejects(writer.delete(id + 1n), /got \d+, which was not sent/);
    await clock.runUntil(channels.close());
  });

  it("deleting a channel leaves nothing behind, whatever is in progress", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const channels = await open(disk);
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    await clock.runUntil((await writer.send("one")).stored);
    const [message] = await clock.runUntil(take(reader, 1));
    for (const turns of [0, 1, 2, 3]) {
      const again = await channels.create(`out ${turns}`);
      const sending = [again.send("two"), again.send("three")].map((sent) => sent.catch(() => {}));
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await Promise.all([channels.delete(`out ${turns}`), ...sending]);
    }
    await channels.delete("out");
    await channels.delete("in");
    await message!.ack().catch(() => {});
    await clock.advance(60_000);
    await clock.runUntil(channels.close());
    const left = [...disk.durable.keys()].filter((key) => !key.startsWith("meta!"));
    assert.deepEqual(left, []);
  });

  it("a channel is deleted if the disk stores that and reports a failure, and others go on", async () => {
    const { clock, boxes } = world();
    const database = new CrashDatabase(new Disk());
    const channels = await openChannels(boxes.client(), database, { clock });
    const writer = await channels.create("out");
    const other = await channels.create("other");
    await channels.import("in", await writer.invitation());
    const batch = database.batch.bind(database);
    for (const name of ["out", "in"]) {
      database.batch = async (...given) => {
        await batch(...given);
        database.batch = batch;
        throw new Error("EIO: i/o error");
      };
      await clock.runUntil(channels.delete(name));
    }
    assert.deepEqual(
      (await channels.list()).map(({ name }) => name),
      ["other"],
    );
    await clock.runUntil((await other.send("still here")).stored);
    await channels.create("out");
    await clock.runUntil(channels.close());
  });

  it("a channel is unchanged if the disk refuses its deletion", async () => {
    const { clock, boxes } = world();
    const database = new CrashDatabase(new Disk());
    const channels = await openChannels(boxes.client(), database, { clock });
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    await clock.runUntil(writer.send("one"));
    database.failing = true;
    await assert.rejects(clock.runUntil(channels.delete("out")), ChannelStoreError);
    await assert.rejects(clock.runUntil(channels.delete("in")), ChannelStoreError);
    database.failing = false;
    await clock.runUntil((await channels.writer("out")).send("two"));
    const messages = await clock.runUntil(take(await channels.reader("in"), 2));
    assert.deepEqual(texts(messages), ["one", "two"]);
    await clock.runUntil(channels.close());
    void reader;
  });
});
