/** Introductions that the network may have lost, in groups; introductions.test.ts has them alone. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channels, type Group, openChannels } from "../../src/channels/index.js";
import type { VirtualClock } from "../../src/clock/virtual.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { DAY, hear, take, texts } from "./group-talk.js";
import { world } from "./world.js";

/** A group of Alice, Bob and Carol. Alice admitted both; Bob has not read yet that Carol came. */
async function unread({ clock, open }: Pick<ReturnType<typeof world>, "clock" | "open">): Promise<{
  disk: Disk;
  all: Channels[];
  groups: Group[];
}> {
  const disk = new Disk();
  const all = [await open(disk), await open(), await open()];
  const a = await all[0]!.groups.create("friends", { displayName: "Alice" });
  const b = await clock.runUntil(take(a, all[1]!, "Bob"), DAY);
  const c = await clock.runUntil(take(a, all[2]!, "Carol"), DAY);
  await clock.advance(60_000);
  assert.equal((await all[0]!.writer(a.ownChannel)).queued, 0, "everything is stored");
  return { disk, all, groups: [a, b, c] };
}

const introductions = (disk: Disk): string[] => {
  const written = disk.copy();
  written.crash(Infinity);
  return [...written.durable.keys()].filter((key) => key.startsWith("intro!"));
};

/** Bob hears that Alice introduces Carol, and not a second time before Alice's text. */
async function hearsOfCarolOnce(clock: VirtualClock, a: Group, b: Group): Promise<void> {
  await a.send("from Alice");
  const lines = await clock.runUntil(
    hear(b, (some) => texts(some).length === 1),
    DAY,
  );
  assert.equal(lines.filter((line) => line === "Alice + Carol").length, 1, lines.join());
}

describe("introductions that a new daemon does not know", () => {
  for (const isOpen of [true, false]) {
    it(`are sent again, after the store was ${isOpen ? "open" : "closed"}`, async () => {
      const { clock, boxes, open } = world();
      const { disk, all, groups } = await unread({ clock, open });
      const [, b, c] = groups as [Group, Group, Group];
      if (isOpen) boxes.forget();
      else {
        await clock.runUntil(all[0]!.close());
        boxes.forget();
        all[0] = await open(disk);
      }
      const a = await all[0]!.groups.get("friends");
      const heard = hear(b, (lines) => texts(lines).length === 2);
      await a.send("from Alice");
      await c.send("from Carol");
      const lines = await clock.runUntil(heard, DAY);
      assert.ok(lines.includes("Alice + Carol"), lines.join());
      assert.deepEqual(texts(lines).toSorted(), ["Alice: from Alice", "Carol: from Carol"]);
      // Whoever knows the newcomer already does not get to know it twice.
      const names = (group: Group): string[] =>
        group.members().map(({ displayName }) => displayName);
      await clock.runUntil(
        hear(c, (said) => said.includes("Alice + Bob") && said.includes("Alice + Carol")),
        DAY,
      );
      assert.deepEqual([a, b, c].map(names), [
        ["Bob", "Carol"],
        ["Alice", "Carol"],
        ["Alice", "Bob"],
      ]);
      await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
    });
  }

  it("are sent again to a newcomer whose answer had no room for them", async () => {
    const { clock, boxes, open } = world();
    const { all, groups } = await unread({ clock, open });
    const [a] = groups as [Group];
    all.push(await open());
    const d = await clock.runUntil(take(a, all[3]!, "Dave"), DAY);
    await clock.advance(60_000);
    assert.ok(d.members().length < 3, "the answer has no room");
    boxes.forget();
    await clock.advance(60_000);
    const heard = hear(d, () => d.members().length === 3);
    await groups[1]!.send("from Bob");
    await clock.runUntil(heard, DAY);
    await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
  });

  it("are sent again each time, though the daemon is away at first", async () => {
    const { clock, boxes, open } = world();
    const { all, groups } = await unread({ clock, open });
    const [a, b] = groups as [Group, Group];
    for (let n = 0; n < 3; n++) {
      boxes.forget();
      boxes.fate = () => ({ delayMs: 10, lost: "request" });
      await clock.advance(600_000);
      boxes.fate = () => ({ delayMs: 10, lost: null });
      await clock.advance(600_000);
    }
    await hearsOfCarolOnce(clock, a, b);
    await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
  });

  it("are sent again if the disk refuses them at first", async () => {
    const { clock, boxes, open } = world();
    const disk = new Disk();
    const database = new CrashDatabase(disk);
    let isFirst = true;
    const { all, groups } = await unread({
      clock,
      open: async (given = new Disk()) => {
        if (!isFirst) return open(given);
        isFirst = false;
        return openChannels(boxes.client(), database, { clock });
      },
    });
    const [a, b] = groups as [Group, Group];
    database.failing = true;
    boxes.forget();
    await clock.advance(60_000);
    database.failing = false;
    await clock.advance(600_000);
    await hearsOfCarolOnce(clock, a, b);
    await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
  });
});

describe("introductions that the network still has", () => {
  it("are not sent again when the store is opened, or another daemon answers", async () => {
    const { clock, boxes, open } = world();
    const { disk, all, groups } = await unread({ clock, open });
    // The exchanges are over, so that nothing else is written.
    for (const group of groups.slice(1)) await group.send("hello");
    await clock.runUntil(
      hear(groups[0]!, (lines) => texts(lines).length === 2),
      DAY,
    );
    await clock.runUntil(all[0]!.close());
    const { reads, writes } = boxes;
    all[0] = await open(disk);
    await clock.advance(600_000);
    boxes.replaceDaemon();
    await clock.advance(600_000);
    assert.equal(boxes.writes, writes);
    assert.ok(boxes.reads <= reads + 2, `${boxes.reads - reads} reads`);
    assert.equal(introductions(disk).length, 2);
    await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
  });

  it("are not sent twice if they are still in the outbox", async () => {
    const { clock, boxes, open } = world();
    const { disk, all, groups } = await unread({ clock, open });
    const [a, b] = groups as [Group, Group];
    const d = await open();
    all.push(d);
    const dave = await clock.runUntil(d.groups.join("friends", { displayName: "Dave" }));
    const writer = await all[0]!.writer(a.ownChannel);
    const { taken } = await clock.runUntil(a.induct(dave.voucher!));
    await clock.runUntil(taken(), DAY);
    assert.ok(writer.queued > 0, "the introduction has not left");
    // The daemon is another one, with the same network.
    boxes.replaceDaemon();
    await clock.advance(600_000);
    const lines = hear(b, (some) => texts(some).length === 1);
    await a.send("from Alice");
    const heard = await clock.runUntil(lines, DAY);
    assert.equal(heard.filter((line) => line === "Alice + Dave").length, 1, heard.join());
    assert.equal(introductions(disk).length, 3);
    await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
  });

  it("are kept for a week, or until the group is left", async () => {
    const { clock, boxes, open } = world();
    const { disk, all, groups } = await unread({ clock, open });
    assert.equal(introductions(disk).length, 2);
    const copy = disk.copy();
    await clock.runUntil(all[0]!.groups.leave("friends"));
    assert.deepEqual(introductions(disk), []);
    await clock.runUntil(all[0]!.close());
    await clock.advance(7 * DAY);
    boxes.forget();
    const before = boxes.writes;
    all[0] = await open(copy);
    await clock.advance(600_000);
    assert.deepEqual(introductions(copy), []);
    assert.equal(boxes.writes, before);
    assert.equal(groups.length, 3);
    await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
  });

  it("are not sent on a channel that is forked", async () => {
    const { clock, boxes, open } = world();
    const { disk, all, groups } = await unread({ clock, open });
    const writer = await all[0]!.writer(groups[0]!.ownChannel);
    const { nextMessageBoxIndex: place } = await writer.invitation();
    boxes.put(writer.writeCap(), place, new Uint8Array([1]));
    await assert.rejects(clock.runUntil((await groups[0]!.send("x")).stored), /forked/);
    boxes.forget();
    const before = boxes.reads;
    await clock.advance(DAY);
    assert.ok(boxes.reads - before < 10, `${boxes.reads - before} reads`);
    assert.equal(introductions(disk).length, 2);
    await clock.runUntil(Promise.all(all.map((channels) => channels.close())));
  });
});
