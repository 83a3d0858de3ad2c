import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryLevel } from "memory-level";
import {
  firstIndexOf,
  generateKeypair,
  messageBoxCounter,
  mutateCap,
  nextMessageBoxIndex,
  readCapOf,
} from "../../src/bacap/index.js";
import { withIndex } from "../../src/bacap/capabilities.js";
import type { VirtualClock } from "../../src/clock/virtual.js";
import {
  type ChannelClient,
  type ChannelDatabase,
  type Channels,
  type Group,
  type Writer,
  type KatzenqtCause,
  encodeKatzenqtMembers,
  openChannels,
} from "../../src/channels/index.js";
import { ReadCap } from "../../src/bytes/opaque.js";
import { InvalidStateError } from "../../src/errors/errors.js";
import { startTestNetwork } from "../../src/testing/index.js";
import { STEPS_A_TURN } from "../../src/channels/scheduler.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { DAY, admit, hear, take, texts } from "./group-talk.js";
import { world } from "./world.js";

/** Answers a voucher by hand, as a member does. */
async function answer(
  client: ChannelClient,
  voucher: Uint8Array<ArrayBuffer>,
  whoReply: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const { voucherWriteCap } = await client.voucherDeriveStream(voucher);
  const box = firstIndexOf(voucherWriteCap);
  let payload: Uint8Array<ArrayBuffer> | null = null;
  while (!payload) {
    payload = await client
      .read(readCapOf(voucherWriteCap), box, { wait: false })
      .then(({ plaintext }) => plaintext)
      .catch(() => null);
  }
  const { sealedReply } = await client.voucherInduct(voucher, payload, whoReply);
  await client.write(voucherWriteCap, nextMessageBoxIndex(box), sealedReply);
}

/** Lets a member announce a stream as Bob's in which nothing is ever written. */
async function announceWrong(clock: VirtualClock, liar: Group, bobs: Writer): Promise<void> {
  const readCap = mutateCap(bobs.readCap(), new Uint8Array(32).fill(1));
  const member = { displayName: "Bob", readCap };
  await clock.runUntil(liar.send({ type: "introduction", member }));
}

/** Makes a group of three members, in which the second adds the third and each sends a message. */
async function three(
  open: () => Promise<Channels>,
): Promise<{ groups: Group[]; heard: string[][] }> {
  const [alice, bob, carol] = [await open(), await open(), await open()];
  const a = await alice.groups.create("friends", { displayName: "Alice" });
  await a.send("before anybody came");
  const b = await take(a, bob, "Bob");
  const c = await take(b, carol, "Carol");
  await a.send("from Alice");
  await b.send("from Bob");
  await c.send("from Carol");
  const groups = [a, b, c];
  const heard = await Promise.all(
    groups.map((group, i) => hear(group, (all) => texts(all).length === (i === 0 ? 2 : 3))),
  );
  return { groups, heard };
}

describe("groups", () => {
  it("every member can read every other, whichever member inducted it", async () => {
    const { clock, open } = world();
    const { groups, heard } = await clock.runUntil(three(open), DAY);
    assert.deepEqual(texts(heard[0]!).toSorted(), ["Bob: from Bob", "Carol: from Carol"]);
    assert.deepEqual(texts(heard[1]!).toSorted(), [
      "Alice: before anybody came",
      "Alice: from Alice",
      "Carol: from Carol",
    ]);
    assert.deepEqual(texts(heard[2]!).toSorted(), [
      "Alice: before anybody came",
      "Alice: from Alice",
      "Bob: from Bob",
    ]);
    assert.deepEqual(
      groups.map((group) =>
        group
          .members()
          .map(({ displayName }) => displayName)
          .toSorted(),
      ),
      [
        ["Bob", "Carol"],
        ["Alice", "Carol"],
        ["Alice", "Bob"],
      ],
    );
    // Bob's announcement told Alice about Carol.
    assert.ok(heard[0]!.includes("Bob + Carol"), heard[0]!.join());
  });

  it("joining continues when a new daemon knows neither voucher nor answer", async () => {
    const { clock, boxes, open } = world();
    const [disk, other] = [new Disk(), new Disk()];
    const [alice, bob] = [await open(disk), await open(other)];
    const group = await alice.groups.create("friends", { displayName: "Alice" });
    const joining = await clock.runUntil(bob.groups.join("friends", { displayName: "Bob" }));
    const voucher = joining.voucher!;
    await clock.advance(60_000);
    boxes.forget();
    await clock.advance(60_000);
    // Away, so that the answer is not read.
    await clock.runUntil(bob.close());
    const { taken } = await clock.runUntil(group.induct(voucher));
    assert.equal(await clock.runUntil(taken(), DAY), "Bob");
    await clock.runUntil(alice.close());
    boxes.forget();
    const [first, second] = [await open(disk), await open(other)];
    const joined = await second.groups.get("friends");
    await clock.runUntil(joined.joined(), DAY);
    await joined.send("hello");
    const there = await first.groups.get("friends");
    const heard = await clock.runUntil(
      hear(there, (all) => texts(all).length === 1),
      DAY,
    );
    assert.deepEqual(texts(heard), ["Bob: hello"]);
    await clock.runUntil(first.close());
    // Nothing is kept of an answer that was read.
    const last = await open(disk);
    await clock.advance(60_000);
    await clock.runUntil(Promise.all([last.close(), second.close()]));
    assert.ok(![...disk.durable.keys()].some((key) => key.startsWith("contact!")));
  });

  it("nothing is kept of a newcomer's exchange once something of the newcomer was read", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const [alice, bob] = [await open(disk), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    const isKept = (): boolean =>
      [...disk.durable.keys()].some((key) => key.startsWith("contact!"));
    await clock.advance(60_000);
    assert.ok(isKept());
    await b.send("hello");
    await clock.runUntil(
      hear(a, (all) => texts(all).length === 1),
      DAY,
    );
    await clock.advance(1000);
    assert.ok(!isKept());
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a group works on a network", { timeout: 180_000 }, async () => {
    await using network = await startTestNetwork();
    const opened: Channels[] = [];
    const open = async (): Promise<Channels> => {
      const database = new MemoryLevel<string, Uint8Array>() as never as ChannelDatabase;
      const channels = await openChannels(await network.client(), database);
      opened.push(channels);
      return channels;
    };
    const { heard } = await three(open);
    assert.deepEqual(texts(heard[0]!).toSorted(), ["Bob: from Bob", "Carol: from Carol"]);
    for (const channels of opened) await channels.close();
  });

  it("a newcomer without history reads only later messages", async () => {
    const { clock, open } = world();
    const [alice, bob] = [await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    await clock.runUntil(a.send("old secret"));
    const b = await clock.runUntil(bob.groups.join("friends", { displayName: "Bob" }));
    const induction = await clock.runUntil(a.induct(b.voucher!, { history: false }));
    await clock.runUntil(Promise.all([induction.taken(), b.joined()]), DAY);
    await clock.runUntil(a.send("news"));
    const heard = await clock.runUntil(
      hear(b, (all) => texts(all).length === 1),
      DAY,
    );
    assert.deepEqual(texts(heard), ["Alice: news"]);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a reply to a message that a newcomer cannot read does not wait for it", async () => {
    const { clock, open } = world();
    const [alice, bob, carol] = [await open(), await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    await clock.runUntil((await clock.runUntil(a.send("question"))).stored);
    await clock.runUntil(
      hear(b, (all) => all.includes("Alice: question")),
      DAY,
    );
    const c = await clock.runUntil(carol.groups.join("friends", { displayName: "Carol" }));
    const induction = await clock.runUntil(b.induct(c.voucher!, { history: false }));
    await clock.runUntil(Promise.all([induction.taken(), c.joined()]), DAY);
    await clock.runUntil((await clock.runUntil(b.send("answer"))).stored);
    const heard = await clock.runUntil(
      hear(c, (all) => all.includes("Bob: answer")),
      30_000,
    );
    assert.deepEqual(texts(heard), ["Bob: answer"]);
    await clock.runUntil(Promise.all([alice.close(), bob.close(), carol.close()]));
  });

  it("a reply is not shown before the message it refers to", async () => {
    const { clock, open } = world();
    const [alice, bob, carol] = [await open(), await open(), await open()];
    const heard = await clock.runUntil(
      (async () => {
        const a = await alice.groups.create("friends", { displayName: "Alice" });
        const b = await take(a, bob, "Bob");
        const c = await take(a, carol, "Carol");
        for (let i = 0; i < 10; i++) await a.send(`question ${i}`);
        await hear(b, (all) => all.includes("Alice: question 9"));
        // Bob's only message is the first of his channel; Alice's last is the twelfth of hers.
        await b.send("answer");
        return hear(c, (all) => texts(all).length === 11);
      })(),
      DAY,
    );
    assert.deepEqual(texts(heard), [
      ...Array.from({ length: 10 }, (_, i) => `Alice: question ${i}`),
      "Bob: answer",
    ]);
    await clock.runUntil(Promise.all([alice.close(), bob.close(), carol.close()]));
  });

  it("a message that is seen while another one is being stored is named by the next one", async () => {
    const { clock, boxes, open } = world();
    class SlowDatabase extends CrashDatabase {
      override async batch(...args: Parameters<CrashDatabase["batch"]>): Promise<void> {
        await clock.sleep(1000);
        return super.batch(...args);
      }
    }
    const alice = await open();
    const database = new SlowDatabase(new Disk());
    const bob = await clock.runUntil(openChannels(boxes.client(), database, { clock }));
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    const { id } = await clock.runUntil(a.send("question"));
    const messages = b.messages();
    await clock.runUntil(messages.next()); // that Bob was admitted
    const question = messages.next();
    await clock.runUntil((await bob.reader(b.members()[0]!.channel)).messages({ from: id }).next());
    const sending = b.send("not an answer");
    await clock.runUntil(question);
    await clock.runUntil(sending);
    await clock.runUntil(b.send("the answer"));
    const heard: (readonly KatzenqtCause[] | undefined)[] = [];
    await clock.runUntil(
      (async () => {
        for await (const { message } of a.messages()) {
          if (message?.type === "text" && heard.push(message.after) === 2) break;
        }
      })(),
      DAY,
    );
    assert.ok(!heard[0]?.some((cause) => cause.id === id));
    assert.deepEqual(heard[1], [{ name: "Alice", id }]);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]), DAY);
  });

  it("a reply to a lost message is shown after a while", async () => {
    const { clock, open } = world();
    const [alice, bob] = [await open(), await open()];
    const heard = await clock.runUntil(
      (async () => {
        const a = await alice.groups.create("friends", { displayName: "Alice" });
        const b = await take(a, bob, "Bob");
        const c = await (await open()).groups.join("friends", { displayName: "Carol" });
        await Promise.all([(await a.induct(c.voucher!)).taken(), c.joined()]);
        await b.send({ type: "text", text: "yes", after: [{ name: "Alice", id: 2n ** 63n }] });
        return hear(c, (all) => all.includes("Bob: yes"));
      })(),
      DAY,
    );
    assert.equal(heard.at(-1), "Bob: yes");
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a member whose messages wait in vain hardly holds up those who answer them", async () => {
    const { clock, open } = world();
    const [alice, mallory, bob, carol] = [await open(), await open(), await open(), await open()];
    const waitedMs = await clock.runUntil(
      (async () => {
        const a = await alice.groups.create("friends", { displayName: "Alice" });
        const m = await take(a, mallory, "Mallory");
        const b = await take(a, bob, "Bob");
        const c = await take(a, carol, "Carol");
        const count = 10;
        for (let i = 0; i < count; i++) {
          // A message of Alice that never comes.
          const after = [{ name: "Alice", id: 2n ** 63n }];
          await m.send({ type: "text", text: `question ${i}`, after });
        }
        let answers = 0;
        for await (const { sender, message } of b.messages()) {
          if (sender.displayName !== "Mallory" || message?.type !== "text") continue;
          await b.send(`answer ${answers}`);
          if (++answers === count) break;
        }
        // All is stored when Carol comes back.
        await clock.sleep(3600_000);
        const since = clock.now();
        const heard = await hear(c, (all) => texts(all).length === 2 * count);
        assert.deepEqual(
          heard.filter((line) => line.startsWith("Bob: ")),
          Array.from({ length: count }, (_, i) => `Bob: answer ${i}`),
        );
        return clock.now() - since;
      })(),
      DAY,
    );
    assert.ok(waitedMs < 120_000, `${waitedMs} ms`);
    await clock.runUntil(Promise.all([alice.close(), mallory.close(), bob.close(), carol.close()]));
  });

  it("a member who introduces a stream again and again, from other boxes, costs little", async () => {
    const { clock, open } = world();
    const [alice, mallory] = [await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const m = await clock.runUntil(take(a, mallory, "Mallory"), DAY);
    const readCap = (await mallory.writer(m.ownChannel)).readCap();
    let index = firstIndexOf(readCap);
    for (let n = 0; n < 18_000; n++) index = nextMessageBoxIndex(index);
    const announce = (from: typeof index): Promise<unknown> => {
      const member = { displayName: "Mallory", readCap: withIndex(readCap, from) };
      return m.send({ type: "introduction", member });
    };
    for (let n = 0; n < 6; n++) {
      await clock.runUntil(announce(index));
      index = nextMessageBoxIndex(index);
    }
    await clock.runUntil(m.send("done"));
    // Comparing streams pauses for a turn now and then, after so many steps.
    let pauses = 0;
    const sleep = clock.sleep.bind(clock);
    clock.sleep = (ms, signal) => {
      if (ms === 0) pauses++;
      return sleep(ms, signal);
    };
    const heard = await clock.runUntil(
      hear(a, (all) => all.includes("Mallory: done")),
      DAY,
    );
    assert.equal(heard.filter((line) => line === "Mallory + Mallory").length, 6);
    assert.equal(a.members().length, 1);
    assert.ok(pauses * STEPS_A_TURN < 75_000, `${pauses} pauses`);
    await clock.runUntil(Promise.all([alice.close(), mallory.close()]));
  });

  it("a loop over the messages of a group without others ends when it is left or closed", async () => {
    const { clock, open } = world();
    const channels = await open();
    const [left, kept] = [
      await channels.groups.create("left", { displayName: "Alice" }),
      await channels.groups.create("kept", { displayName: "Alice" }),
    ];
    const loops = [left, kept].map((group) => hear(group, () => false));
    for (const loop of loops) loop.catch(() => {});
    await clock.advance(1000);
    await clock.runUntil(channels.groups.leave("left"));
    const wasLeft = new InvalidStateError('group "left" was left');
    await assert.rejects(loops[0]!, wasLeft);
    await assert.rejects(left.send("hello"), wasLeft);
    await assert.rejects(
      hear(left, () => false),
      wasLeft,
    );
    await clock.runUntil(channels.close());
    await assert.rejects(loops[1]!, InvalidStateError);
  });

  it("waiting for a newcomer can be given up, and ends when the group is left or closed", async () => {
    const { clock, open } = world();
    const channels = await open();
    const groups = [
      await channels.groups.create("left", { displayName: "Alice" }),
      await channels.groups.create("kept", { displayName: "Alice" }),
    ] as const;
    // Nobody has made these vouchers.
    const [left, kept] = await clock.runUntil(
      Promise.all(groups.map((group, i) => group.induct(new Uint8Array(32).fill(i + 1)))),
    );
    const stop = new AbortController();
    const waits = [left!.taken(), left!.taken({ signal: stop.signal }), kept!.taken()];
    for (const wait of waits) wait.catch(() => {});
    const reason = new Error("enough");
    stop.abort(reason);
    await assert.rejects(waits[1]!, reason);
    // @ts-expect-error: there is no such option.
    await assert.rejects(left!.taken({ sginal: stop.signal }), TypeError);
    await clock.runUntil(channels.groups.leave("left"));
    await assert.rejects(waits[0]!, new InvalidStateError('group "left" was left'));
    await clock.runUntil(channels.close());
    await assert.rejects(waits[2]!, /the channels are closed/);
  });

  it("a member who announces a wrong stream of a silent one does not hide it from newcomers", async () => {
    const { clock, open } = world();
    const [alice, mallory, bob, dave] = [await open(), await open(), await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const m = await clock.runUntil(take(a, mallory, "Mallory"), DAY);
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    await announceWrong(clock, m, await bob.writer(b.ownChannel));
    await clock.runUntil(
      hear(a, (all) => all.includes("Mallory + Bob")),
      DAY,
    );
    const d = await clock.runUntil(dave.groups.join("friends", { displayName: "Dave" }));
    const { taken } = await clock.runUntil(a.induct(d.voucher!, { history: false }));
    await clock.runUntil(Promise.all([taken(), d.joined()]), DAY);
    await b.send("hello");
    const heard = await clock.runUntil(
      hear(d, (all) => all.includes("Bob: hello")),
      DAY,
    );
    assert.deepEqual(texts(heard), ["Bob: hello"]);
    await clock.runUntil(Promise.all([alice, mallory, bob, dave].map((all) => all.close())));
  });

  it("a newcomer learns of a member whose right stream shows while the voucher is answered", async () => {
    const { clock, boxes, open } = world();
    // An answer holds three members.
    const pigeonholeGeometry = { maxPlaintextPayloadLength: 1000 } as never;
    const client = { ...boxes.client(), pigeonholeGeometry };
    let release = (): void => {};
    const isReleased = new Promise<void>((resolve) => (release = resolve));
    let isHeld = false;
    const { write } = client;
    client.write = async (...args) => {
      if (isHeld) await isReleased;
      return write(...args);
    };
    const alice = await openChannels(client, new CrashDatabase(new Disk()), { clock });
    const [bob, mallory, dave] = [await open(), await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    const m = await clock.runUntil(take(a, mallory, "Mallory"), DAY);
    await announceWrong(clock, m, await bob.writer(b.ownChannel));
    await clock.runUntil(
      hear(a, (all) => all.includes("Mallory + Bob")),
      DAY,
    );
    const d = await clock.runUntil(dave.groups.join("friends", { displayName: "Dave" }));
    isHeld = true;
    const { taken } = await clock.runUntil(a.induct(d.voucher!, { history: false }));
    await clock.advance(60_000);
    await b.send("before");
    await clock.runUntil(
      hear(a, (all) => all.includes("Bob: before")),
      DAY,
    );
    release();
    await clock.runUntil(Promise.all([taken(), d.joined()]), DAY);
    await b.send("after");
    await clock.runUntil(
      hear(d, (all) => all.includes("Bob: after")),
      DAY,
    );
    await clock.runUntil(Promise.all([alice, bob, mallory, dave].map((all) => all.close())));
  });

  it("a group survives a restart, and a group that was left stays left", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const first = await open(disk);
    const bob = await open();
    const a = await first.groups.create("friends", { displayName: "Alice" });
    await clock.runUntil(take(a, bob, "Bob"), DAY);
    await clock.runUntil(first.close());
    const second = await open(disk);
    assert.deepEqual(await second.groups.list(), [
      { name: "friends", isJoined: true, failure: null },
    ]);
    const again = await second.groups.get("friends");
    assert.deepEqual(
      again.members().map(({ displayName }) => displayName),
      ["Bob"],
    );
    await second.groups.leave("friends");
    assert.deepEqual(await second.list(), []);
    assert.deepEqual(await second.groups.list(), []);
    await clock.runUntil(Promise.all([second.close(), bob.close()]));
    const left = [...disk.durable.keys()].filter((key) => !key.startsWith("meta!"));
    assert.deepEqual(left, []);
  });

  it("a member whose ReadCap was passed on from before its voucher was opened can still be read", async () => {
    const { clock, boxes, open } = world();
    const [alice, bob, ed] = [await open(), await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    await clock.runUntil(b.send("from Bob"));
    // Bob's katzenqt adds Ed. It sends Bob's ReadCap from before his voucher was opened: the root
    // key is the same, but nobody ever writes to its boxes.
    const [bobs] = a.members();
    const live = (await alice.reader(bobs!.channel)).readCap();
    const alices = (await alice.writer("group friends")).readCap();
    const dead = mutateCap(live, new Uint8Array(32).fill(1));
    const whoReply = encodeKatzenqtMembers([
      { displayName: "Bob", readCap: dead },
      { displayName: "Alice", readCap: alices },
    ]);
    const e = await clock.runUntil(ed.groups.join("friends", { displayName: "Ed" }));
    await clock.runUntil(answer(boxes.client(), e.voucher!, whoReply), DAY);
    await clock.runUntil(e.joined(), DAY);
    const heard = await clock.runUntil(
      hear(e, (all) => all.includes("Bob: from Bob")),
      DAY,
    );
    assert.ok(heard.includes("Alice + Bob"), heard.join());
    assert.deepEqual(
      e
        .members()
        .map(({ displayName }) => displayName)
        .toSorted(),
      ["Alice", "Bob"],
    );
    // The store lists four channels for the group; leaving the group removes all of them.
    assert.equal((await ed.list()).length, 4);
    await clock.runUntil(ed.groups.leave("friends"));
    assert.deepEqual(await ed.list(), []);
    await clock.runUntil(Promise.all([alice.close(), bob.close(), ed.close()]));
  });

  it("a group's own channel never takes the name of another one", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    let channels = await open(disk);
    const writer = await channels.create("group friends");
    const taken = { name: "ChannelExistsError" };
    await assert.rejects(channels.groups.create("friends", { displayName: "A" }), taken);
    await assert.rejects(
      clock.runUntil(channels.groups.join("friends", { displayName: "A" })),
      taken,
    );
    assert.equal(await channels.writer("group friends"), writer);
    assert.deepEqual(await channels.groups.list(), []);
    await clock.runUntil(channels.groups.join("others", { displayName: "A" }));
    await assert.rejects(channels.create("group others"), taken);
    await clock.runUntil(channels.close());
    channels = await open(disk);
    await assert.rejects(channels.create("group others"), /leave the group/);
    await clock.runUntil(channels.groups.leave("others"));
    await channels.create("group others");
    const both = ["one", "one"].map((name) => channels.groups.create(name, { displayName: "A" }));
    const results = await clock.runUntil(Promise.allSettled(both));
    assert.deepEqual(results.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
    await clock.runUntil(channels.close());
  });

  it("a member whose channel is forked can still read the others", async () => {
    const { clock, boxes, open } = world();
    const [alice, bob, carol] = [await open(), await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    const c = await clock.runUntil(carol.groups.join("friends", { displayName: "Carol" }));
    const induction = await clock.runUntil(a.induct(c.voucher!));
    const writer = await alice.writer(a.ownChannel);
    const { nextMessageBoxIndex } = await writer.invitation();
    boxes.put(writer.writeCap(), nextMessageBoxIndex, new Uint8Array([1]));
    const delivery = await clock.runUntil(a.send("late"));
    await assert.rejects(clock.runUntil(delivery.stored), { name: "ChannelForkedError" });
    await assert.rejects(clock.runUntil(induction.taken(), DAY), /forked/);
    const d = await clock.runUntil((await open()).groups.join("friends", { displayName: "Dora" }));
    await clock.runUntil(admit(b, d), DAY);
    await clock.runUntil(d.send("hello"));
    const heard = await clock.runUntil(
      hear(a, (all) => all.includes("Dora: hello")),
      DAY,
    );
    assert.ok(heard.includes("Bob + Dora"));
    await clock.runUntil(Promise.all([alice.close(), bob.close(), carol.close()]));
  });

  it("a member can be read if the disk stored its arrival and then reported a failure", async () => {
    const { clock, boxes, open } = world();
    /** A disk that stores a batch and then fails. */
    class LateFailure extends CrashDatabase {
      failsAfter = 0;
      override async batch(
        ...args: Parameters<CrashDatabase["batch"]>
      ): ReturnType<CrashDatabase["batch"]> {
        await super.batch(...args);
        const isArrival = args[0].some(({ key }) => key.startsWith("member!"));
        if (isArrival && this.failsAfter-- > 0) throw new Error("EIO: i/o error");
      }
    }
    const database = new LateFailure(new Disk());
    const alice = await openChannels(boxes.client(), database, { clock });
    const bob = await open();
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    database.failsAfter = 1;
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    await clock.runUntil(b.send("hello"));
    const heard = await clock.runUntil(
      hear(a, (all) => all.length === 1),
      DAY,
    );
    assert.deepEqual(heard, ["Bob: hello"]);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a member can announce only a few streams with one root key", async () => {
    const { clock, open } = world();
    const [alice, bob] = [await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    const readCap = (await bob.writer(b.ownChannel)).readCap();
    const firstCounter = messageBoxCounter(firstIndexOf(readCap));
    for (let i = 0; i < 10; i++) {
      const bytes = readCap.slice();
      // Its counter is a few hundred boxes ahead, and the keys there are wrong.
      new DataView(bytes.buffer).setBigUint64(32, firstCounter + BigInt(300 + i), true);
      const other = ReadCap.from(bytes);
      await clock.runUntil(
        b.send({ type: "introduction", member: { displayName: `Bob ${i}`, readCap: other } }),
      );
    }
    await clock.runUntil(b.send("end"));
    await clock.runUntil(
      hear(a, (all) => all.includes("Bob: end")),
      DAY,
    );
    assert.equal((await alice.list()).filter(({ kind }) => kind === "reader").length, 3);
    assert.deepEqual(
      a.members().map(({ displayName }) => displayName),
      ["Bob"],
    );
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a group reads at most 256 members, however many are announced", async () => {
    const { clock, open } = world();
    const [alice, bob] = [await open(), await open()];
    const a = await alice.groups.create("friends", { displayName: "Alice" });
    const b = await clock.runUntil(take(a, bob, "Bob"), DAY);
    for (let i = 0; i < 260; i++) {
      const { readCap } = generateKeypair();
      const member = { displayName: `stranger ${i}`, readCap };
      await clock.runUntil(b.send({ type: "introduction", member }));
    }
    await clock.runUntil(b.send("end"));
    const heard = await clock.runUntil(
      hear(a, (all) => all.includes("Bob: end")),
      DAY,
    );
    assert.equal(heard.length, 261);
    assert.equal(a.members().length, 256);
    assert.equal(a.members().at(-1)!.displayName, "stranger 254");
    await assert.rejects(a.induct(new Uint8Array(32).fill(1)), {
      name: "InvalidStateError",
      message:
        'group "friends" reads 256 members, which is the most; create another group for the newcomer',
    });
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a member that has not joined can neither send nor induct others", async () => {
    const { clock, open } = world();
    const channels = await open();
    const group = await clock.runUntil(channels.groups.join("x", { displayName: "X" }));
    await assert.rejects(group.send("hello"), InvalidStateError);
    await assert.rejects(group.induct(new Uint8Array(32)), InvalidStateError);
    await assert.rejects(channels.groups.create("y", { displayName: "" }), RangeError);
    await clock.runUntil(channels.close());
  });
});
