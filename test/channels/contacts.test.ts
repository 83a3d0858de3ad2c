import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryLevel } from "memory-level";
import { toHex, utf8ToText } from "../../src/bytes/bytes.js";
import {
  type ChannelDatabase,
  type Channels,
  ChannelExistsError,
  type Contact,
  type Reader,
  encodeKatzenqtMembers,
  openChannels,
} from "../../src/channels/index.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import {
  firstIndexOf,
  generateKeypair,
  nextMessageBoxIndex,
  readCapOf,
} from "../../src/bacap/index.js";
import type { ReadCap } from "../../src/bytes/opaque.js";
import { voucherStream } from "../../src/crypto/voucher/voucher.js";
import { InvalidStateError } from "../../src/errors/errors.js";
import { startTestNetwork } from "../../src/testing/index.js";
import { BoxesDouble } from "./boxes-double.js";
import { Disk } from "./crash-database.js";
import { world } from "./world.js";
import { type Kill, Process } from "./crash-schedules.js";

const DAY = 24 * 3600 * 1000;

/** The text of the next message. */
async function next(reader: Reader, from?: bigint): Promise<string> {
  for await (const message of reader.messages({ from })) {
    await message.ack();
    return utf8ToText(message.bytes);
  }
  throw new Error("no message");
}

/** Sends one message each way. */
async function greet(clock: VirtualClock, one: Contact, other: Contact): Promise<void> {
  const [a, b] = await clock.runUntil(Promise.all([one.ready(), other.ready()]), DAY);
  await clock.runUntil(a.writer.send("from one"));
  await clock.runUntil(b.writer.send("from other"));
  assert.equal(await clock.runUntil(next(b.reader), DAY), "from one");
  assert.equal(await clock.runUntil(next(a.reader), DAY), "from other");
}

describe("contacts", () => {
  it("a voucher gives each side a channel to the other", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const [alice, bob] = [await open(disk), await open()];
    const invited = await clock.runUntil(alice.contacts.invite("Bob", { displayName: "Alice" }));
    const voucher = invited.voucher!;
    assert.equal(voucher.length, 32);
    const accepted = await clock.runUntil(
      bob.contacts.accept(voucher, "Alice", { displayName: "Bob" }),
    );
    await greet(clock, invited, accepted);
    assert.deepEqual(await alice.contacts.list(), [
      { name: "Bob", role: "newcomer", state: "opened", displayName: "Bob", failure: null },
    ]);
    assert.deepEqual(await bob.contacts.list(), [
      { name: "Alice", role: "member", state: "answered", displayName: "Alice", failure: null },
    ]);
    assert.deepEqual(
      (await alice.list()).map(({ name, kind }) => [name, kind]),
      [
        ["from Bob", "reader"],
        ["to Bob", "writer"],
      ],
    );
    assert.equal(invited.voucher, null);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    // The store keeps neither the voucher nor the secret that opens its reply.
    const stored = [...disk.durable].map(([, value]) => toHex(value)).join(" ");
    assert.ok(!stored.includes(toHex(voucher)));
    assert.doesNotMatch([...disk.durable.keys()].join(" "), /Bob/);
  });

  it("the exchange continues after a kill at any commit or call of either side", async () => {
    let kills = 0;
    for (const at of ["beforeCommit", "afterCommit", "afterCall"] as const) {
      for (let count = 1; count <= 9; count++) {
        for (const side of [0, 1]) {
          const kill: Kill = { at, count, kept: 0, downMs: 3000 };
          const plan = [[], []] as Kill[][];
          plan[side]!.push(kill);
          kills += await runExchange(plan);
        }
      }
    }
    assert.ok(kills >= 30, `${kills} kills`);
  });

  it("a voucher stays valid after its first boxes have expired", async () => {
    const { clock, boxes, open } = world();
    boxes.lifetimeMs = 7 * DAY;
    boxes.fate = () => ({ delayMs: 2000, lost: null });
    const [alice, bob] = [await open(), await open()];
    const invited = await clock.runUntil(alice.contacts.invite("Bob"));
    await clock.advance(30 * DAY);
    const accepted = await clock.runUntil(bob.contacts.accept(invited.voucher!, "Alice"));
    await greet(clock, invited, accepted);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  for (const isOpen of [false, true]) {
    const when = `while the store is ${isOpen ? "open" : "closed"}`;
    const forgetter = ({ clock, boxes, open }: ReturnType<typeof world>) => {
      return async (channels: Channels, disk: Disk): Promise<Channels> => {
        if (isOpen) {
          boxes.forget();
          return channels;
        }
        await clock.runUntil(channels.close());
        boxes.forget();
        return open(disk);
      };
    };

    it(`a voucher stays valid when a new daemon does not know its boxes, ${when}`, async () => {
      const all = world();
      const { clock, open } = all;
      const disk = new Disk();
      let alice = await open(disk);
      const voucher = (await clock.runUntil(alice.contacts.invite("Bob"))).voucher!;
      await clock.advance(60_000);
      alice = await forgetter(all)(alice, disk);
      const bob = await open();
      const accepted = await clock.runUntil(bob.contacts.accept(voucher, "Alice"));
      await greet(clock, await alice.contacts.get("Bob"), accepted);
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    });

    it(`an answer is written again when a new daemon does not know it, ${when}`, async () => {
      const all = world();
      const { clock, open } = all;
      const [disk, other] = [new Disk(), new Disk()];
      let alice = await open(disk);
      const voucher = (await clock.runUntil(alice.contacts.invite("Bob"))).voucher!;
      await clock.advance(60_000);
      await clock.runUntil(alice.close());
      let bob = await open(other);
      const accepted = await clock.runUntil(bob.contacts.accept(voucher, "Alice"));
      await clock.runUntil(accepted.ready());
      bob = await forgetter(all)(bob, other);
      const contact = await bob.contacts.get("Alice");
      assert.equal((await contact.ready()).writer.name, "to Alice");
      const { writeCap } = voucherStream(voucher);
      const place = nextMessageBoxIndex(firstIndexOf(writeCap));
      assert.equal(all.boxes.get(readCapOf(writeCap), place), null);
      await clock.runUntil(contact.stored());
      assert.notEqual(all.boxes.get(readCapOf(writeCap), place), null);
      alice = await open(disk);
      await greet(clock, await alice.contacts.get("Bob"), contact);
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    });
  }

  it("a first message that a new daemon does not know is reported as lost", async () => {
    const { clock, boxes, open } = world();
    const [alice, bob] = [await open(), await open()];
    const invited = await clock.runUntil(alice.contacts.invite("Bob"));
    const accepted = await clock.runUntil(bob.contacts.accept(invited.voucher!, "Alice"));
    const [a, b] = await clock.runUntil(Promise.all([invited.ready(), accepted.ready()]), DAY);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      // Stored at the replicas, so that it is no longer in the outbox, and not yet read.
      await clock.runUntil((await from.writer.send("lost")).stored);
      boxes.forget();
      await from.writer.send("arrives");
      const messages = to.reader.messages();
      const { value } = await clock.runUntil(messages.next(), DAY);
      assert.deepEqual([utf8ToText(value!.bytes), value!.gap], ["arrives", 1]);
      await messages.return?.();
    }
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a store that is opened writes at most one box for each exchange", async () => {
    const { clock, boxes, open } = world();
    const [disk, other] = [new Disk(), new Disk()];
    /** Opens a store for a minute; returns how many boxes were written. */
    const openFor = async (stored: Disk, work?: (channels: Channels) => Promise<unknown>) => {
      const before = boxes.writes;
      const channels = await open(stored);
      await clock.advance(60_000);
      await work?.(channels);
      await clock.runUntil(channels.close());
      return boxes.writes - before;
    };
    let voucher: Uint8Array<ArrayBuffer> | null = null;
    await openFor(disk, async ({ contacts }) => {
      voucher = (await clock.runUntil(contacts.invite("Bob"))).voucher;
      await clock.advance(60_000);
    });
    assert.equal(await openFor(disk), 1, "the payload");
    await openFor(other, async ({ contacts }) => {
      const accepted = await clock.runUntil(contacts.accept(voucher!, "Alice"));
      await clock.runUntil(accepted.ready());
    });
    assert.equal(await openFor(other), 1, "the answer");
    assert.equal(await openFor(disk), 1, "the payload, before the answer is read");
    assert.equal(await openFor(disk), 0, "the newcomer is done");
    assert.equal(await openFor(other), 1, "the member does not know that");
    const kept = other.copy();
    // The newcomer's first message says that it read the answer.
    await openFor(disk, async (channels) => {
      const delivery = await (await channels.writer("to Bob")).send("hello");
      await clock.runUntil(delivery.stored);
    });
    await openFor(other, async (channels) => {
      const { reader } = await (await channels.contacts.get("Alice")).ready();
      assert.equal(await clock.runUntil(next(reader), DAY), "hello");
    });
    assert.equal(await openFor(other), 0, "the newcomer was heard");
    const [contact] = [...other.durable].filter(([key]) => key.startsWith("contact!"));
    const { writeCap } = voucherStream(voucher!);
    assert.ok(!toHex(contact![1]).includes(toHex(writeCap)), "the answer's keys are deleted");
    // The network does not keep an answer for longer than a week either.
    await clock.advance(8 * DAY);
    assert.equal(await openFor(kept), 0, "the answer is old");
  });

  /** Whether the record of an exchange contains a secret. */
  const keeps = (disk: Disk, secret: string): boolean => {
    const written = disk.copy();
    written.crash(Infinity);
    return [...written.durable].some(([key, value]) => {
      return key.startsWith("contact!") && toHex(value).includes(secret);
    });
  };

  /** A contact whose member keeps the answer, and whether it still does. */
  const answered = async ({ clock, open }: ReturnType<typeof world>) => {
    const disk = new Disk();
    const [alice, bob] = [await open(), await open(disk)];
    const invited = await clock.runUntil(alice.contacts.invite("Bob"));
    const secret = toHex(voucherStream(invited.voucher!).writeCap);
    const accepted = await clock.runUntil(bob.contacts.accept(invited.voucher!, "Alice"));
    await clock.runUntil(Promise.all([accepted.ready(), invited.ready()]), DAY);
    const isKept = (): boolean => keeps(disk, secret);
    return { alice, bob, invited, accepted, isKept };
  };

  it("an answer is deleted as soon as something of the newcomer was read", async () => {
    const all = world();
    const { clock, boxes } = all;
    const { alice, bob, invited, accepted, isKept } = await answered(all);
    const { writer } = await invited.ready();
    await clock.runUntil((await writer.send("hello")).stored);
    await clock.advance(60_000);
    assert.ok(isKept(), "nobody has read the message yet");
    const { reader } = await accepted.ready();
    assert.equal(await clock.runUntil(next(reader), DAY), "hello");
    await clock.advance(1000);
    assert.ok(!isKept());
    const before = boxes.writes;
    boxes.forget();
    await clock.advance(60_000);
    assert.equal(boxes.writes, before);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("an answer is deleted when the first message of the newcomer is found to be lost", async () => {
    const all = world();
    const { clock, boxes } = all;
    const { alice, bob, invited, accepted, isKept } = await answered(all);
    const { writer } = await invited.ready();
    for (const text of ["lost", "there"]) await clock.runUntil((await writer.send(text)).stored);
    const { reader } = await accepted.ready();
    boxes.lose(reader.readCap(), firstIndexOf(reader.readCap()));
    assert.equal(await clock.runUntil(next(reader), DAY), "there");
    await clock.advance(1000);
    assert.ok(!isKept());
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("an answer is deleted with the channel on which the newcomer would be read", async () => {
    const all = world();
    const { clock } = all;
    const { alice, bob, isKept } = await answered(all);
    await clock.runUntil(bob.delete("from Alice"));
    await clock.advance(1000);
    assert.ok(!isKept());
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  for (const how of ["passes", "passes while the machine sleeps"]) {
    it(`an answer is deleted when a week ${how}, though the store stays open`, async () => {
      const all = world();
      const { clock } = all;
      const { alice, bob, isKept } = await answered(all);
      if (how === "passes") await clock.advance(6.9 * DAY);
      else clock.aheadMs += 6.9 * DAY;
      await clock.advance(60_000);
      assert.ok(isKept(), "it is not a week yet");
      if (how === "passes") await clock.advance(0.1 * DAY);
      else {
        clock.aheadMs += 0.1 * DAY;
        await clock.advance(3_600_000);
      }
      await clock.advance(1000);
      assert.ok(!isKept());
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    });
  }

  it("an answer that a closed store kept is deleted when it is due after the opening", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const [alice, first] = [await open(), await open(disk)];
    const invited = await clock.runUntil(alice.contacts.invite("Bob"));
    const secret = toHex(voucherStream(invited.voucher!).writeCap);
    const accepted = await clock.runUntil(first.contacts.accept(invited.voucher!, "Alice"));
    await clock.runUntil(accepted.ready(), DAY);
    await clock.runUntil(first.close());
    await clock.advance(3 * DAY);
    const bob = await open(disk);
    await clock.advance(3 * DAY);
    assert.ok(keeps(disk, secret));
    await clock.advance(DAY + 1000);
    assert.ok(!keeps(disk, secret));
    assert.equal((await bob.contacts.list())[0]!.state, "answered");
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a stored answer that cannot be written again leaves the contact as it is", async () => {
    const { clock, boxes, open } = world();
    const disk = new Disk();
    const [alice, bob] = [await open(), await open(disk)];
    const invited = await clock.runUntil(alice.contacts.invite("Bob"));
    const { writeCap } = voucherStream(invited.voucher!);
    const accepted = await clock.runUntil(bob.contacts.accept(invited.voucher!, "Alice"));
    await clock.runUntil(Promise.all([accepted.ready(), invited.ready()]), DAY);
    await clock.runUntil(bob.close());
    boxes.forget();
    boxes.put(writeCap, nextMessageBoxIndex(firstIndexOf(writeCap)), new Uint8Array(40));
    const again = await open(disk);
    await clock.advance(60_000);
    const before = boxes.writes;
    await clock.advance(DAY);
    assert.equal(boxes.writes, before);
    assert.equal((await again.contacts.list())[0]!.state, "answered");
    await greet(clock, invited, await again.contacts.get("Alice"));
    await clock.runUntil(Promise.all([alice.close(), again.close()]));
  });

  it("stored() resolves when an answer that could not be written again is not needed any more", async () => {
    const { clock, boxes, open } = world();
    const [alice, disk] = [await open(), new Disk()];
    const first = await open(disk);
    const invited = await clock.runUntil(alice.contacts.invite("Bob"));
    const accepted = await clock.runUntil(first.contacts.accept(invited.voucher!, "Alice"));
    const { writer } = await clock.runUntil(invited.ready(), DAY);
    await clock.runUntil(accepted.ready(), DAY);
    await clock.runUntil((await writer.send("hello")).stored);
    await clock.runUntil(first.close());
    boxes.fate = () => ({ delayMs: 20, lost: "request" });
    const bob = await open(disk);
    const contact = await bob.contacts.get("Alice");
    const stored = contact.stored();
    await clock.advance(60_000);
    boxes.fate = () => ({ delayMs: 20, lost: null });
    const { reader } = await contact.ready();
    assert.equal(await clock.runUntil(next(reader)), "hello");
    // The answer waits for its next attempt; the newcomer has read it.
    boxes.forget();
    await clock.runUntil(stored, DAY);
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("cancelling a voucher deletes it and frees its name", async () => {
    const { clock, boxes, open } = world();
    const [alice, bob] = [await open(), await open()];
    const invited = await clock.runUntil(alice.contacts.invite("Bob"));
    const voucher = invited.voucher!;
    const { readCap } = voucherStream(voucher);
    await clock.runUntil(invited.stored());
    assert.ok(boxes.get(readCap, firstIndexOf(readCap))!.length > 0);
    await clock.advance(10_000);
    await assert.rejects(alice.create("to Bob"), ChannelExistsError);
    await assert.rejects(clock.runUntil(alice.contacts.invite("Bob")), ChannelExistsError);
    await clock.runUntil(alice.contacts.cancel("Bob"));
    assert.deepEqual(await alice.contacts.list(), []);
    await assert.rejects(invited.ready(), /it was cancelled/);
    await clock.runUntil(invited.stored());
    assert.equal(boxes.get(readCap, firstIndexOf(readCap))!.length, 0);
    await alice.create("to Bob");
    await clock.advance(10_000);
    const accepted = await clock.runUntil(bob.contacts.accept(voucher, "Alice"));
    await assert.rejects(clock.runUntil(accepted.ready(), DAY), (error) => {
      assert.ok(error instanceof InvalidStateError);
      assert.match(error.message, /the newcomer deleted the voucher/);
      return true;
    });
    assert.equal(accepted.info.state, "failed");
    await clock.runUntil(bob.contacts.cancel("Alice"));
    // Nothing of this side is at the replicas.
    await clock.runUntil(accepted.stored());
    await bob.create("from Alice");
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a cancellation is completed after a kill", async () => {
    const { clock, boxes, open } = world();
    const disk = new Disk();
    const first = await open(disk);
    const invited = await clock.runUntil(first.contacts.invite("Bob"));
    const voucher = invited.voucher!;
    await clock.advance(10_000);
    boxes.fate = () => ({ delayMs: 20, lost: "request" });
    await clock.runUntil(first.contacts.cancel("Bob"));
    const closed = assert.rejects(invited.stored(), /was deleted at the replicas/);
    await clock.runUntil(first.close());
    await closed;
    boxes.fate = () => ({ delayMs: 20, lost: null });
    const second = await open(disk);
    assert.deepEqual(await second.contacts.list(), []);
    await clock.advance(10_000);
    const { readCap } = voucherStream(voucher);
    assert.equal(boxes.get(readCap, firstIndexOf(readCap))?.length, 0);
    assert.ok(![...disk.durable.keys()].some((key) => key.startsWith("contact!")));
    await clock.runUntil(second.close());
  });

  for (const [box, reason] of [
    [0, /wrote one of its boxes/],
    [1, /somebody else answered this voucher/],
  ] as const) {
    it(`the exchange ends if somebody else writes box ${box} of a voucher`, async () => {
      const { clock, boxes, open } = world();
      const alice = await open();
      boxes.fate = () => ({ delayMs: 5000, lost: null });
      const invited = await clock.runUntil(alice.contacts.invite("Bob"));
      const { writeCap } = voucherStream(invited.voucher!);
      const first = firstIndexOf(writeCap);
      boxes.put(writeCap, box === 0 ? first : nextMessageBoxIndex(first), new Uint8Array(40));
      await assert.rejects(clock.runUntil(invited.ready(), DAY), reason);
      assert.match((await alice.contacts.list())[0]!.failure!, reason);
      await clock.runUntil(alice.close());
    });
  }

  it("a deleted answer ends the exchange, and it is not the newcomer who is told to have deleted it", async () => {
    const { clock, boxes, open } = world();
    const alice = await open();
    boxes.fate = () => ({ delayMs: 5000, lost: null });
    const invited = await clock.runUntil(alice.contacts.invite("Bob"));
    const { writeCap } = voucherStream(invited.voucher!);
    boxes.put(writeCap, nextMessageBoxIndex(firstIndexOf(writeCap)), new Uint8Array(0));
    const reason = /somebody else deleted the answer to this voucher; make a new one/;
    await assert.rejects(clock.runUntil(invited.ready(), DAY), reason);
    await clock.runUntil(alice.close());
  });

  it("an answer that names our own stream is refused: we would read what we send", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const contact = await clock.runUntil(channels.contacts.invite("Mallory"));
    const voucher = contact.voucher!;
    const client = boxes.client();
    await clock.runUntil(contact.stored());
    const mirror = async (): Promise<void> => {
      const { voucherWriteCap } = await client.voucherDeriveStream(voucher);
      const box = firstIndexOf(voucherWriteCap);
      const { plaintext } = await client.read(readCapOf(voucherWriteCap), box, { wait: false });
      const answerWith = (readCap: ReadCap) => {
        const members = encodeKatzenqtMembers([{ displayName: "Mallory", readCap }]);
        return client.voucherInduct(voucher, plaintext, members);
      };
      const { mutatedMessageReadCap } = await answerWith(generateKeypair().readCap);
      const { sealedReply } = await answerWith(mutatedMessageReadCap);
      await client.write(voucherWriteCap, nextMessageBoxIndex(box), sealedReply);
    };
    await clock.runUntil(mirror());
    await assert.rejects(clock.runUntil(contact.ready(), DAY), InvalidStateError);
    assert.equal(contact.info.state, "failed");
    assert.deepEqual(await channels.list(), []);
    await clock.runUntil(channels.close());
  });

  it("the second of two answers to one voucher is refused", async () => {
    const { clock, open } = world();
    const [alice, bob, carol] = [await open(), await open(), await open()];
    const invited = await clock.runUntil(alice.contacts.invite("friend"));
    const voucher = invited.voucher!;
    const answers = [
      await clock.runUntil(bob.contacts.accept(voucher, "Alice")),
      await clock.runUntil(carol.contacts.accept(voucher, "Alice")),
    ];
    const outcomes = await clock.runUntil(
      Promise.allSettled(answers.map((answer) => answer.ready())),
      DAY,
    );
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const refused = outcomes.find((outcome) => outcome.status === "rejected")!;
    assert.match(
      String(refused.reason),
      /somebody else answered this voucher first; ask for a new/,
    );
    const winner = answers[outcomes.findIndex(({ status }) => status === "fulfilled")]!;
    await greet(clock, invited, winner);
    await assert.rejects(bob.contacts.accept(new Uint8Array(31), "x"), RangeError);
    await assert.rejects(bob.contacts.invite("x", { displayName: "" }), RangeError);
    await clock.runUntil(Promise.all([alice.close(), bob.close(), carol.close()]));
  });

  it("an invitation works on a network", { timeout: 240_000 }, async () => {
    await using network = await startTestNetwork();
    const memory = (): ChannelDatabase => new MemoryLevel<string, Uint8Array>() as never;
    await using alice = await openChannels(await network.client(), memory());
    await using bob = await openChannels(await network.client(), memory());
    const invited = await alice.contacts.invite("Bob", { displayName: "Alice" });
    const accepted = await bob.contacts.accept(invited.voucher!, "Alice", { displayName: "Bob" });
    const [a, b] = await Promise.all([invited.ready(), accepted.ready()]);
    await a.writer.send("hello Bob");
    await b.writer.send("hello Alice");
    assert.equal(await next(b.reader), "hello Bob");
    assert.equal(await next(a.reader), "hello Alice");
    assert.equal(invited.info.displayName, "Bob");
  });
});

/**
 * Runs an exchange with planned kills, then sends a message each way; returns the number of kills.
 */
async function runExchange(plan: readonly (readonly Kill[])[]): Promise<number> {
  const clock = new VirtualClock();
  const boxes = new BoxesDouble(clock);
  const sides = plan.map((kills) => new Process(boxes, kills));
  const down = () => clock.sleep(3000);
  let onVoucher!: (voucher: Uint8Array) => void;
  const handedOver = new Promise<Uint8Array>((resolve) => (onVoucher = resolve));
  const texts: string[] = [];
  const isDone = [false, false];
  const talk = async (contact: Contact, words: string, n: number): Promise<void> => {
    const { writer, reader } = await contact.ready();
    // A kill between `send` and `push` sends the text twice. Only the application can prevent that.
    if (!texts.includes(words)) {
      await writer.send(words);
      texts.push(words);
    }
    const heard = await next(reader, 0n);
    if (heard !== (n === 0 ? "from member" : "from newcomer")) texts.push(`heard ${heard}`);
    isDone[n] = true;
    while (writer.queued > 0) await clock.sleep(100);
    while (!isDone[1 - n]) await clock.sleep(1000);
  };
  const newcomer = sides[0]!.run(async (channels) => {
    const known = (await channels.contacts.list())[0];
    const contact = known
      ? await channels.contacts.get("Bob")
      : await channels.contacts.invite("Bob");
    if (contact.voucher) onVoucher(contact.voucher);
    await talk(contact, "from newcomer", 0);
  }, down);
  const member = sides[1]!.run(async (channels) => {
    const voucher = await handedOver;
    const known = (await channels.contacts.list())[0];
    const contact = known
      ? await channels.contacts.get("Alice")
      : await channels.contacts.accept(voucher, "Alice");
    await talk(contact, "from member", 1);
  }, down);
  try {
    await clock.runUntil(Promise.all([newcomer, member]), DAY);
  } catch (error) {
    throw new Error(JSON.stringify(plan), { cause: error });
  }
  assert.deepEqual(texts.toSorted(), ["from member", "from newcomer"], JSON.stringify(plan));
  return sides.reduce((sum, { kills }) => sum + kills, 0);
}
