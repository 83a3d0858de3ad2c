import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { makeReadMessage, makeWriteMessage } from "../../src/crypto/envelope/box-messages.js";
import { pigeonholeSizes } from "../../src/pki/pigeonhole-sizes.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { instantTiming, upstreamTiming } from "../../src/mixnet/timing.js";
import { StorageLink, StorageLinkError } from "../../src/network/storage-link.js";
import { instantPace, poissonPace } from "../../src/network/storage-pace.js";
import { StorageNetwork } from "../../src/network/storage-network.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { chacha20Random } from "../../src/bacap/seeded-random.js";
import { ConcurrencyGate } from "../../src/network/concurrency-gate.js";
import { Breather } from "../../src/clock/breather.js";
import { StorageFixture, seed, sizes, stream } from "./storage-fixture.js";

const { writeCap, readCap, firstMessageIndex } = stream(1);
const read = makeReadMessage(readCap, firstMessageIndex);
const write = makeWriteMessage(sizes, writeCap, firstMessageIndex, Uint8Array.of(1));

void describe("a storage network", () => {
  void test("works alike with two, three, four and five replicas", async () => {
    for (const replicas of [2, 3, 4, 5]) {
      const fixture = await StorageFixture.start({ replicas });
      const keys = stream(20 + replicas);
      const index = keys.firstMessageIndex;
      assert.equal((await fixture.read(keys)).errorCode, 1, `${replicas} replicas`);
      assert.equal(await fixture.write(keys.writeCap, index, Uint8Array.of(1)), 0);
      assert.equal(await fixture.write(keys.writeCap, index, Uint8Array.of(2)), 10);
      assert.equal((await fixture.read(keys)).errorCode, 0);
      assert.equal(await fixture.write(keys.writeCap, index, new Uint8Array(0)), 0);
      await fixture.settle();
      assert.equal((await fixture.read(keys)).errorCode, 11);
      const copies = fixture.network.replicas.reduce((sum, { stored }) => sum + stored.boxes, 0);
      assert.equal(copies, 2);
      await fixture.network.close();
      assert.equal(fixture.virtual.pending, 0);
    }
  });

  void test("has couriers that share the boxes but not the envelopes", async () => {
    const fixture = await StorageFixture.start({ courierCount: 3 });
    const envelope = await fixture.envelope(write);
    const [first, second, third] = fixture.network.couriers;
    assert.equal((await fixture.send(envelope, first)).replyType, "ack");
    await fixture.settle();
    assert.equal((await fixture.send(envelope, first)).replyType, "payload");
    assert.equal((await fixture.send(envelope, second)).replyType, "ack");
    const reading = await fixture.envelope(read);
    await fixture.send(reading, third);
    await fixture.settle();
    const { payload } = await fixture.send(reading, third);
    assert.equal((await fixture.open(reading.envelopeDescriptor, payload)).errorCode, 0);
    await fixture.network.close();
  });

  void test("has only its slow timers when idle", async () => {
    const fixture = await StorageFixture.start();
    await fixture.write(writeCap, firstMessageIndex, Uint8Array.of(1));
    await fixture.virtual.advance(instantTiming.courierCacheMs);
    assert.equal(fixture.virtual.pending, 5, "one garbage collection per replica");
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("may be closed twice, and answers nothing afterwards", async () => {
    const fixture = await StorageFixture.start();
    const envelope = await fixture.envelope(read);
    await fixture.send(envelope);
    await Promise.all([fixture.network.close(), fixture.network.close()]);
    assert.equal(await fixture.query(envelope.query), null);
    fixture.network.documentChanged();
    await fixture.settle();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("has paced links that take the time of the document's rate", async () => {
    const fixture = await StorageFixture.start({ paced: true });
    const envelope = await fixture.envelope(write);
    await fixture.send(envelope);
    await fixture.settle();
    assert.equal((await fixture.send(envelope)).replyType, "ack", "not at once");
    await fixture.virtual.advance(20_000);
    assert.equal((await fixture.send(envelope)).replyType, "payload");
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("refuses a scheme that is not the geometry's, and unknown replicas", async () => {
    const options = {
      clock: new VirtualClock(),
      random: chacha20Random(seed(1)),
      timing: instantTiming,
      scheme: x25519Nike,
      sizes: pigeonholeSizes(100, "CTIDH1024-X25519"),
      replicas: [],
      courierCount: 0,
      keySeed: seed(1),
      document: () => null,
    };
    assert.throws(() => new StorageNetwork(options), /CTIDH1024-X25519, got x25519/);
    assert.throws(() => new StorageNetwork({ ...options, keySeed: new Uint8Array(3) }), RangeError);
    const network = new StorageNetwork({ ...options, sizes });
    await assert.rejects(network.publicKeys(3, [1]), RangeError);
    network.documentChanged();
    await network.close();
  });
});

void describe("delays of storage links", () => {
  void test("have the means that the rate gives", () => {
    const pace = poissonPace(() => 0.005, chacha20Random(seed(1)), upstreamTiming);
    const count = 4000;
    let sends = 0;
    let answers = 0;
    for (let i = 0; i < count; i++) {
      sends += pace.sendDelayMs()!;
      const answer = pace.answerDelayMs()!;
      assert.ok(answer >= 0 && answer < 200);
      answers += answer;
    }
    assert.ok(Math.abs(sends / count - 200) < 15, `${sends / count}`);
    assert.ok(Math.abs(answers / count - 100) < 5, `${answers / count}`);
  });

  void test("are 50 ms on average without a document, and zero in an instant network", () => {
    const pace = poissonPace(() => null, chacha20Random(seed(2)), upstreamTiming);
    let sum = 0;
    for (let i = 0; i < 4000; i++) sum += pace.sendDelayMs()!;
    assert.ok(Math.abs(sum / 4000 - 50) < 4, `${sum / 4000}`);
    assert.equal(instantPace.sendDelayMs(), null);
    assert.equal(instantPace.answerDelayMs(), null);
  });
});

void describe("a storage link", () => {
  function link(pace = instantPace) {
    const clock = new VirtualClock();
    const received: Uint8Array[] = [];
    const faults = { offline: false, slowMs: 0, takeLoss: () => false };
    const answer = { bytes: null as Uint8Array<ArrayBuffer> | null };
    const target = {
      faults,
      receive: (bytes: Uint8Array<ArrayBuffer>) => {
        received.push(bytes);
        return Promise.resolve(answer.bytes ?? bytes);
      },
    };
    const made = new StorageLink({ clock, pace, sizes, from: "courier", target });
    return { clock, received, faults, answer, link: made };
  }

  const decoy = { kind: "replicaDecoy" } as const;

  void test("carries every command in the one length that all have", async () => {
    const { link: made, received } = link();
    assert.deepEqual(await made.request(decoy, 1000), decoy);
    await made.request({ ...write, kind: "replicaWrite" }, 1000);
    assert.deepEqual(
      received.map(({ length }) => length),
      [sizes.wireCommandLength, sizes.wireCommandLength],
    );
  });

  void test("never answers before the call returns", () => {
    const { link: made } = link();
    let answered = false;
    made.send(decoy, () => (answered = true));
    assert.equal(answered, false);
  });

  void test("refuses when nobody is there, and gives up without an answer", async () => {
    const { link: made, faults, clock, answer } = link();
    faults.offline = true;
    await assert.rejects(made.request(decoy, 1000), StorageLinkError);
    faults.offline = false;
    faults.takeLoss = () => true;
    const lost = assert.rejects(made.request(decoy, 1000), /no answer within 1000 ms/);
    await clock.advance(1000);
    await lost;
    faults.takeLoss = () => false;
    answer.bytes = Uint8Array.of(1, 2, 3);
    const nonsense = assert.rejects(made.request(decoy, 500), StorageLinkError);
    await clock.advance(500);
    await nonsense;
    assert.equal(clock.pending, 0);
  });

  void test("delivers a slow replica's answers late", async () => {
    const { link: made, faults, clock } = link();
    faults.slowMs = 700;
    let answers = 0;
    made.send(decoy, () => answers++);
    await clock.advance(699);
    assert.equal(answers, 0);
    await clock.advance(1);
    assert.equal(answers, 1);
  });

  void test("gives no answer to commands in progress when the replica goes offline", async () => {
    const { link: made, faults, clock } = link();
    faults.slowMs = 100;
    let answers = 0;
    made.send(decoy, () => answers++);
    await clock.advance(50);
    faults.offline = true;
    await clock.advance(1000);
    assert.equal(answers, 0);
  });

  void test("accepts only a limited number of commands at a time", async () => {
    const { link: made, faults, clock } = link();
    faults.slowMs = 1000;
    for (let i = 0; i < 1024; i++) made.send(decoy, () => {});
    assert.throws(() => made.send(decoy, () => {}), StorageLinkError);
    await clock.advance(1000);
    made.send(decoy, () => {});
    const paced = link({ sendDelayMs: () => 10, answerDelayMs: () => 0 });
    for (let i = 0; i < 64; i++) paced.link.send(decoy, () => {});
    assert.throws(() => paced.link.send(decoy, () => {}), StorageLinkError);
    await paced.clock.advance(100);
    assert.equal(paced.received.length, 10, "one per tick");
    made.close();
    paced.link.close();
    assert.equal(clock.pending + paced.clock.pending, 0);
  });

  void test("rejects waiting commands when it closes, and sends nothing more", async () => {
    const { link: made, clock, received } = link({ sendDelayMs: () => 10, answerDelayMs: () => 0 });
    const waiting = assert.rejects(made.request(decoy, 1000), /closed/);
    made.close();
    await waiting;
    await clock.advance(100);
    assert.equal(received.length, 0);
    await assert.rejects(made.request(decoy, 1000), StorageLinkError);
    assert.equal(clock.pending, 0);
  });
});

void describe("bounds on work", () => {
  void test("a gate admits a fixed number, and the others in their order", async () => {
    const gate = new ConcurrencyGate(2);
    const log: string[] = [];
    const ends: (() => void)[] = [];
    const task = (name: string) => async (): Promise<string> => {
      log.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (name === "b") throw new Error("b failed");
      return name;
    };
    const all = ["a", "b", "c", "d"].map((name) => gate.run(task(name)));
    const settled = Promise.allSettled(all);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(log, ["a", "b"]);
    assert.equal(gate.waiting, 2);
    ends[1]!();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(log, ["a", "b", "c"]);
    ends[0]!();
    ends[2]!();
    await new Promise((resolve) => setImmediate(resolve));
    ends[3]!();
    assert.deepEqual(
      (await settled).map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled", "fulfilled"],
    );
    assert.equal(await gate.run(() => Promise.resolve("again")), "again");
  });

  void test("long work pauses only after it has run for a while", async () => {
    const clock = new VirtualClock();
    const breather = new Breather(clock);
    await breather.pause();
    await breather.pause();
    assert.equal(clock.pending, 0);
    await clock.advance(20);
    const pause = breather.pause();
    const another = breather.pause();
    assert.equal(clock.pending, 1, "all work pauses and continues together");
    await clock.runUntil(pause);
    await another;
    await breather.pause();
    assert.equal(clock.pending, 0);
  });
});
