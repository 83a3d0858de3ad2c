/** Calls that an application makes without waiting for earlier ones. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ChannelExistsError,
  ChannelNotFoundError,
  type Channels,
  type Group,
  openChannels,
} from "../../src/channels/index.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { InvalidStateError } from "../../src/errors/errors.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { world } from "./world.js";

const DAY = 24 * 3600 * 1000;

/** Lets `count` promise reactions run. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

/** The keys of a closed store, without those of the store itself. */
const keysOf = (disk: Disk): string[] =>
  [...disk.durable.keys()].filter((key) => !key.startsWith("meta!")).toSorted();

function notFound(error: unknown): void {
  assert.ok(error instanceof ChannelNotFoundError, String(error));
}

const unknownVoucher = new Uint8Array(32).fill(5);

describe("concurrent calls of channels", () => {
  it("deleting a channel leaves nothing behind if its first read is in progress", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const channels = await open(disk);
    const writer = await channels.create("out");
    await clock.runUntil((await writer.send("one")).stored);
    for (const from of ["start", "next"] as const) {
      const reader = await channels.import("in", await writer.invitation(), { from });
      const message = reader.messages().next();
      await clock.advance(1);
      await channels.delete("in");
      await assert.rejects(clock.runUntil(message), InvalidStateError);
      await clock.advance(60_000);
    }
    await channels.delete("out");
    await clock.runUntil(channels.close());
    assert.deepEqual(keysOf(disk), []);
  });

  it("deleting a channel leaves nothing behind if boxes of a long message are on their way", async () => {
    for (const format of ["native", "katzenqt"] as const) {
      const { clock, open } = world();
      const disk = new Disk();
      const channels = await open(disk);
      for (const ms of [0, 1, 5, 9, 11, 15, 19, 21, 25, 35]) {
        const writer = await channels.create("out", { format });
        await writer.send("x".repeat(2000));
        await clock.advance(ms);
        await channels.delete("out");
        await clock.advance(60_000);
      }
      await clock.runUntil(channels.close());
      assert.deepEqual(keysOf(disk), []);
    }
  });

  it("a channel that is deleted twice at once can be made again at once", async () => {
    const { clock, open } = world();
    const channels = await open();
    await channels.create("out");
    for (let count = 0; count < 20; count++) {
      const deleted = [channels.delete("out")];
      await turns(count);
      deleted.push(channels.delete("out").catch(notFound));
      await Promise.race(deleted);
      const writer = await channels.create("out");
      await Promise.all(deleted);
      await clock.runUntil((await writer.send("one")).stored);
      assert.equal(await channels.writer("out"), writer);
      assert.equal((await channels.list()).length, 1);
    }
    await clock.runUntil(channels.close());
  });

  it("a channel that is made while the channels close is made or refused", async () => {
    for (let count = 0; count < 20; count++) {
      const { clock, open } = world();
      const disk = new Disk();
      const channels = await open(disk);
      const old = await channels.create("old");
      const invitation = await old.invitation();
      const made = [
        channels.create("new"),
        channels.import("in", invitation),
        channels.groups.create("new", { displayName: "me" }),
      ] as const;
      const settled = Promise.allSettled(made);
      await turns(count);
      await clock.runUntil(channels.close());
      const [writer, reader, group] = await clock.runUntil(settled);
      for (const one of [writer, reader, group]) {
        if (one.status === "rejected") assert.ok(one.reason instanceof InvalidStateError);
      }
      if (writer.status === "fulfilled") {
        await assert.rejects(writer.value.send("hello"), /closed/);
      }
      if (reader.status === "fulfilled") {
        await assert.rejects(reader.value.messages().next(), InvalidStateError);
      }
      const again = await open(disk);
      const isMade = (one: PromiseSettledResult<unknown>): number =>
        one.status === "fulfilled" ? 1 : 0;
      assert.equal((await again.groups.list()).length, isMade(group));
      const channelCount = 1 + isMade(writer) + isMade(reader) + isMade(group);
      assert.equal((await again.list()).length, channelCount);
      await clock.runUntil(again.close());
    }
  });

  it("a channel that is being made is not there yet", async () => {
    const { clock, open } = world();
    const channels = await open();
    for (let count = 0; count < 12; count++) {
      const name = `out ${count}`;
      const made = channels.create(name);
      await turns(count);
      const isDeleted = await channels.delete(name).then(
        () => true,
        (error: unknown) => {
          notFound(error);
          return false;
        },
      );
      const writer = await made;
      if (!isDeleted) await writer.send("one");
      assert.equal((await channels.list()).length, isDeleted ? 0 : 1);
      if (!isDeleted) await channels.delete(name);
    }
    await clock.runUntil(channels.close());
  });

  it("a group that is left twice at once can be made again at once", async () => {
    const { clock, open } = world();
    const channels = await open();
    await channels.groups.create("friends", { displayName: "me" });
    for (let count = 0; count < 40; count++) {
      const left = [channels.groups.leave("friends")];
      await turns(count);
      left.push(channels.groups.leave("friends").catch(notFound));
      await Promise.race(left);
      const group = await channels.groups.create("friends", { displayName: "me again" });
      await Promise.all(left);
      assert.equal(await channels.groups.get("friends"), group);
      await group.send("hello");
    }
    await clock.runUntil(channels.close());
  });

  it("a contact that is cancelled twice at once can be made again at once", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const channels = await open(disk);
    await clock.runUntil(channels.contacts.accept(unknownVoucher, "bob"));
    for (let count = 0; count < 20; count++) {
      const cancelled = [channels.contacts.cancel("bob")];
      await turns(count);
      cancelled.push(channels.contacts.cancel("bob").catch(notFound));
      await Promise.race(cancelled);
      await channels.contacts.accept(unknownVoucher, "bob");
      await Promise.all(cancelled);
      await channels.contacts.get("bob");
      await assert.rejects(channels.create("to bob"), ChannelExistsError);
    }
    await clock.runUntil(channels.close());
    assert.equal(keysOf(disk).length, 1);
  });

  it("a contact's name is taken until it is cancelled, also without its channels", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const [alice, bob] = [await open(disk), await open()];
    const ours = await clock.runUntil(alice.contacts.invite("bob"));
    const theirs = await clock.runUntil(bob.contacts.accept(ours.voucher!, "alice"));
    await clock.runUntil(Promise.all([ours.ready(), theirs.ready()]), DAY);
    await alice.delete("to bob");
    await alice.delete("from bob");
    const taken = {
      name: "ChannelExistsError",
      message: /there is already a contact "bob"; .*cancel/,
    };
    await assert.rejects(clock.runUntil(alice.contacts.invite("bob")), taken);
    await assert.rejects(alice.contacts.accept(unknownVoucher, "bob"), taken);
    await alice.contacts.cancel("bob");
    await alice.contacts.accept(unknownVoucher, "bob");
    await alice.contacts.cancel("bob");
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    assert.deepEqual(keysOf(disk), []);
  });

  for (const end of ["leave", "close"] as const) {
    it(`waiting for messages and newcomers of a group ends with ${end}`, async () => {
      const { clock, open } = world();
      const channels = await open();
      const alone = await channels.groups.create("alone", { displayName: "me" });
      const joining = await clock.runUntil(channels.groups.join("others", { displayName: "me" }));
      const { taken } = await alone.induct(unknownVoucher);
      const waiting = [
        alone.messages().next(),
        taken(),
        joining.joined(),
        joining.messages().next(),
      ];
      await clock.advance(1000);
      const ended = waiting.map((one) => assert.rejects(one, InvalidStateError));
      if (end === "leave") {
        await clock.runUntil(channels.groups.leave("alone"));
        await clock.runUntil(channels.groups.leave("others"));
      } else {
        await clock.runUntil(channels.close());
      }
      await clock.runUntil(Promise.all(ended), 60_000);
      await clock.runUntil(channels.close());
    });
  }

  it("an exchange that begins while the channels close does not wait forever", async () => {
    for (let count = 0; count < 12; count++) {
      const { clock, open } = world();
      const channels = await open();
      const group = await channels.groups.create("friends", { displayName: "me" });
      const taken = group.induct(unknownVoucher).then(({ taken: wait }) => wait());
      const joined = channels.groups
        .join("others", { displayName: "me" })
        .then((joining) => joining.joined());
      const settled = Promise.allSettled([taken, joined]);
      await turns(count);
      await clock.runUntil(channels.close());
      for (const { status } of await clock.runUntil(settled, 60_000)) {
        assert.equal(status, "rejected");
      }
    }
  });

  it("a group that is left keeps nothing, whatever else is called at once", async () => {
    for (let count = 0; count < 20; count++) {
      const { clock, open } = world();
      const disk = new Disk();
      const channels = await open(disk);
      const group = await channels.groups.create("friends", { displayName: "me" });
      const calls = [
        (): Promise<unknown> => channels.groups.leave("friends"),
        (): Promise<unknown> => group.induct(unknownVoucher),
        (): Promise<unknown> => group.send("hello"),
        (): Promise<unknown> => group.messages().next(),
      ];
      const order = count % 2 === 0 ? calls : calls.toReversed();
      const done: Promise<unknown>[] = [];
      for (const call of order) {
        done.push(call().catch((error: unknown) => assert.ok(error instanceof Error)));
        if (count > 1) await turns(count - 1);
      }
      await clock.runUntil(Promise.all(done), DAY);
      await clock.advance(DAY);
      assert.deepEqual(await channels.list(), []);
      await clock.runUntil(channels.close());
      assert.deepEqual(keysOf(disk), [], `${count} turns`);
    }
  });

  for (const moment of [
    "a message is stored",
    "a voucher is answered",
    "a member is stored",
  ] as const) {
    it(`a group that is left about when ${moment} keeps nothing`, async () => {
      const before = world();
      const [disk, bobs] = [new Disk(), new Disk()];
      const [alice, bob, carol] = [
        await before.open(disk),
        await before.open(bobs),
        await before.open(),
      ];
      const { theirs } = await before.clock.runUntil(friends(alice, bob), DAY);
      const invited = await before.clock.runUntil(
        carol.groups.join("friends", { displayName: "Carol" }),
      );
      const { taken } = await before.clock.runUntil(theirs.induct(invited.voucher!));
      await before.clock.runUntil(Promise.all([taken(), invited.joined()]), DAY);
      // Bob's introduction of Carol waits for Alice, and so does Dave's voucher.
      const dave = await before.open();
      const { voucher } = await before.clock.runUntil(
        dave.groups.join("friends", { displayName: "Dave" }),
      );
      await before.clock.advance(60_000);
      await before.clock.runUntil(Promise.all([alice, bob, carol, dave].map((one) => one.close())));
      let met = 0;
      for (let count = 0; count < 30; count++) {
        const clock = new VirtualClock(before.clock.now());
        const boxes = before.boxes.copy(clock);
        const ours = disk.copy();
        const database = new CrashDatabase(ours);
        const client = boxes.client();
        let leave = (): void => {};
        const hook = async <T>(done: Promise<T>): Promise<T> => (await done, leave(), done);
        const { write } = client;
        const batch = database.batch.bind(database);
        if (moment === "a voucher is answered") client.write = (...args) => hook(write(...args));
        const stored = { "a message is stored": "in!", "a member is stored": "member!" }[
          moment as string
        ];
        if (stored) {
          database.batch = (...args) => {
            if (args[0].some(({ key }) => key.startsWith(stored))) leave();
            return batch(...args);
          };
        }
        const channels = await openChannels(client, database, { clock });
        // From now on the disk is slow.
        const get = database.get.bind(database);
        database.get = async (key) => {
          const found = await get(key);
          // In half of the runs a channel is loaded before it is deleted, otherwise after it.
          if (/^(?:chan|cursor)!/.test(key)) await clock.sleep(count % 2 === 0 ? 7 : 14);
          return found;
        };
        const keys = database.keys.bind(database);
        database.keys = (range) => {
          const found = keys(range);
          return { ...found, nextv: async (size) => (await clock.sleep(1), found.nextv(size)) };
        };
        const group = await channels.groups.get("friends");
        const hearing = (async () => {
          for await (const { message } of group.messages()) void message;
        })().catch((error: unknown) => {
          assert.ok(error instanceof InvalidStateError, String(error));
        });
        const left = new Promise<void>((resolve, reject) => {
          leave = () => {
            leave = () => {};
            met++;
            const soon = count < 20 ? turns(4 * count) : clock.sleep(count - 20);
            void soon.then(() => channels.groups.leave("friends")).then(resolve, reject);
          };
        });
        if (moment === "a voucher is answered") await clock.runUntil(group.induct(voucher!));
        await clock.runUntil(Promise.all([left, hearing]), DAY);
        await clock.advance(DAY);
        assert.deepEqual(await channels.list(), []);
        await clock.runUntil(channels.close());
        assert.deepEqual(keysOf(ours), [], `${count} turns`);
      }
      assert.equal(met, 30);
    });
  }

  it("a group that is left while its voucher is answered keeps nothing", async () => {
    for (let count = 0; count < 16; count++) {
      const { clock, boxes, open } = world();
      const disk = new Disk();
      const database = new CrashDatabase(disk);
      const bob = await openChannels(boxes.client(), database, { clock });
      const [get, batch] = [database.get.bind(database), database.batch.bind(database)];
      database.get = async (key) => {
        const found = await get(key);
        if (/^(?:chan|cursor)!/.test(key)) await clock.sleep(3);
        return found;
      };
      const left = new Promise<void>((resolve, reject) => {
        database.batch = (...args) => {
          if (args[0].some(({ key }) => key.startsWith("chan!"))) {
            database.batch = batch;
            void clock
              .sleep(count)
              .then(() => bob.groups.leave("friends"))
              .then(resolve, reject);
          }
          return batch(...args);
        };
      });
      const alice = await open();
      const group = await alice.groups.create("friends", { displayName: "Alice" });
      const joining = await clock.runUntil(bob.groups.join("friends", { displayName: "Bob" }));
      await clock.runUntil(group.induct(joining.voucher!));
      await clock.runUntil(left, DAY);
      await assert.rejects(joining.send("hello"), /group "friends" was left/);
      await clock.advance(DAY);
      assert.deepEqual(await bob.list(), []);
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
      assert.deepEqual(keysOf(disk), [], `${count} ms`);
    }
  });

  it("two newcomers who are admitted at once are both read, and told to the others", async () => {
    for (let count = 0; count < 6; count++) {
      const { clock, boxes, open } = world();
      const database = new CrashDatabase(new Disk());
      const alice = await openChannels(boxes.client(), database, { clock });
      const [bob, carol, dave] = [await open(), await open(), await open()];
      const { ours, theirs } = await clock.runUntil(friends(alice, bob), DAY);
      const joining = [
        await clock.runUntil(carol.groups.join("friends", { displayName: "Carol" })),
        await clock.runUntil(dave.groups.join("friends", { displayName: "Dave" })),
      ];
      // The disk stores the second one while the channel of the first one is loaded, or later.
      const get = database.get.bind(database);
      database.get = async (key) => (await clock.sleep(count), get(key));
      const admitted = joining.map(async (group) => (await ours.induct(group.voucher!)).taken());
      await clock.runUntil(Promise.all([...admitted, ...joining.map((one) => one.joined())]), DAY);
      assert.equal(ours.members().length, 3);
      const known = new Set<string>();
      await clock.runUntil(
        (async () => {
          for await (const { message } of theirs.messages()) {
            if (message?.type === "introduction") known.add(message.member.displayName);
            if (known.size === 3) break;
          }
        })(),
        DAY,
      );
      assert.deepEqual([...known].toSorted(), ["Bob", "Carol", "Dave"]);
      const all = [alice, bob, carol, dave].map((one) => one.close());
      await clock.runUntil(Promise.all(all));
    }
  });

  it("a newcomer is read if the disk refuses another change meanwhile", async () => {
    for (let count = 0; count < 8; count++) {
      const { clock, boxes, open } = world();
      const database = new CrashDatabase(new Disk());
      const alice = await openChannels(boxes.client(), database, { clock });
      const other = await alice.create("other");
      const [bob, carol] = [await open(), await open()];
      const { ours, theirs } = await clock.runUntil(friends(alice, bob), DAY);
      const joining = await clock.runUntil(carol.groups.join("friends", { displayName: "Carol" }));
      const [get, batch] = [database.get.bind(database), database.batch.bind(database)];
      database.get = async (key) => (await clock.sleep(3), get(key));
      const refused = new Promise<unknown>((resolve) => {
        database.batch = (...args) => {
          if (!args[0].some(({ key }) => key.startsWith("member!"))) return batch(...args);
          database.batch = () => ((database.batch = batch), Promise.reject(new Error("ENOSPC")));
          void clock.sleep(count).then(() => other.send("refused").catch(resolve));
          return batch(...args);
        };
      });
      const heard: string[] = [];
      const hearing = (async () => {
        for await (const { message } of ours.messages()) {
          if (message?.type === "text") heard.push(message.text);
          if (heard.length === 3) return;
        }
      })();
      const { taken } = await clock.runUntil(ours.induct(joining.voucher!));
      await theirs.send("one");
      await clock.runUntil(Promise.all([taken(), joining.joined(), refused]), DAY);
      await clock.runUntil(Promise.all([theirs.send("two"), joining.send("three")]));
      await clock.runUntil(hearing, DAY);
      assert.deepEqual(heard.toSorted(), ["one", "three", "two"]);
      assert.equal(ours.members().length, 2);
      await clock.runUntil(Promise.all([alice, bob, carol].map((one) => one.close())));
    }
  });

  it("loops over the messages of many groups end with one signal, and Node warns of nothing", async (t) => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): unknown => warnings.push(warning);
    process.on("warning", onWarning);
    t.after(() => process.off("warning", onWarning));
    const { clock, open } = world();
    const channels = await open();
    const abort = new AbortController();
    const { signal } = abort;
    const loops: Promise<unknown>[] = [];
    for (let n = 0; n < 12; n++) {
      const group = await channels.groups.create(`group ${n}`, { displayName: "me" });
      loops.push(group.messages({ signal }).next());
    }
    await clock.advance(1000);
    const ended = loops.map((one) => assert.rejects(one, /enough/));
    abort.abort(new Error("enough"));
    await clock.runUntil(Promise.all(ended), 60_000);
    const group = await channels.groups.get("group 0");
    await assert.rejects(group.messages({ signal }).next(), /enough/);
    await clock.runUntil(channels.close());
    assert.deepEqual(warnings, []);
  });

  it("a channel of a group cannot be deleted: the group is left as a whole", async () => {
    const { clock, open } = world();
    const [alice, bob] = [await open(), await open()];
    const { ours } = await clock.runUntil(friends(alice, bob), DAY);
    for (const name of [ours.ownChannel, ours.members()[0]!.channel]) {
      await assert.rejects(alice.delete(name), {
        code: "ERR_INVALID_STATE",
        message: `channel ${JSON.stringify(name)} belongs to group "friends": leave it with groups.leave()`,
      });
    }
    await ours.send("still here");
    await clock.runUntil(alice.groups.leave("friends"));
    assert.deepEqual(await alice.list(), []);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });
});

/** A group of two. */
async function friends(
  alice: Channels,
  bob: Channels,
): Promise<{ readonly ours: Group; readonly theirs: Group }> {
  const ours = await alice.groups.create("friends", { displayName: "Alice" });
  const theirs = await bob.groups.join("friends", { displayName: "Bob" });
  const { taken } = await ours.induct(theirs.voucher!);
  await Promise.all([taken(), theirs.joined()]);
  return { ours, theirs };
}
