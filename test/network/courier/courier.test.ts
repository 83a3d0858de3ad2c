import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { concatBytes, equalBytes, utf8 } from "../../../src/bytes/bytes.js";
import {
  makeReadMessage,
  makeWriteMessage,
  openReadReply,
} from "../../../src/crypto/envelope/box-messages.js";
import {
  type CourierEnvelope,
  decodeCourierQueryReply,
  encodeCourierQuery,
} from "../../../src/crypto/envelope/courier-messages.js";
import { VirtualClock } from "../../../src/clock/virtual.js";
import type { ReplicaReadReply } from "../../../src/crypto/envelope/replica-messages.js";
import { instantTiming } from "../../../src/mixnet/timing.js";
import type { CourierRecord, EnvelopeLog } from "../../../src/network/courier/envelope-log.js";
import { REPLICA_EPOCH_MS, epochAt, epochStart } from "../../../src/pki/epoch.js";
import { StorageFixture, sizes, stream } from "../storage-fixture.js";

const keys = stream(1);
const { writeCap, readCap, firstMessageIndex } = keys;
const hello = new TextEncoder().encode("hello");
const read = makeReadMessage(readCap, firstMessageIndex);
const write = makeWriteMessage(sizes, writeCap, firstMessageIndex, hello);

/** How long the fixture's kind couriers keep an envelope, in ms. */
const cacheMs = 300_000;

/** The number of envelopes that each replica received; counts every command that reaches one. */
function countCommands(fixture: StorageFixture): { total: number } {
  const count = { total: 0 };
  for (const replica of fixture.network.replicas) {
    const { faults } = replica;
    const take = faults.takeLoss.bind(faults);
    faults.takeLoss = () => {
      count.total++;
      return take();
    };
  }
  return count;
}

/** Sends an envelope with another reply index, which the hash does not cover. */
function withIndex(envelope: CourierEnvelope, replyIndex: number): Uint8Array {
  return encodeCourierQuery({ kind: "envelope", envelope: { ...envelope, replyIndex } });
}

async function envelopeReply(fixture: StorageFixture, query: Uint8Array) {
  const reply = await fixture.query(query);
  assert.ok(reply?.kind === "envelope");
  return reply.reply;
}

/** Records in memory, with a log of every call. */
class RecordingLog implements EnvelopeLog {
  readonly records = new Map<string, CourierRecord>();
  failing = false;
  closed = 0;
  release: (() => void) | null = null;
  hold = false;

  async append(record: CourierRecord): Promise<void> {
    if (this.hold) await new Promise<void>((resolve) => (this.release = resolve));
    if (this.failing) throw new Error("disk full");
    this.records.set(String(record.key), record);
  }

  remove(key: Uint8Array): void {
    this.records.delete(String(key));
  }

  *entries(): Iterable<CourierRecord> {
    yield* this.records.values();
  }

  close(): void {
    this.closed++;
  }

  get kinds(): string[] {
    return [...this.records.values()].map(({ kind }) => kind);
  }
}

void describe("a courier", () => {
  void test("acknowledges first, and has the replica's reply later", async () => {
    const fixture = await StorageFixture.kind();
    const envelope = await fixture.envelope(write);
    const ack = await fixture.send(envelope);
    assert.deepEqual(ack, {
      envelopeHash: envelope.envelopeHash,
      replyIndex: 0,
      replyType: "ack",
      payload: new Uint8Array(0),
      errorCode: 0,
    });
    await fixture.settle();
    const reply = await fixture.send(envelope);
    assert.equal(reply.replyType, "payload");
    assert.equal(reply.errorCode, 0);
    assert.equal(reply.payload.length, sizes.envelopeReplyLength);
    assert.deepEqual(await fixture.open(envelope.envelopeDescriptor, reply.payload), {
      kind: "write",
      errorCode: 0,
    });
    const got = await fixture.read(keys);
    assert.deepEqual(openReadReply(readCap, firstMessageIndex, got as ReplicaReadReply), hello);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("sends a payload reply of the geometry's true length", async () => {
    const fixture = await StorageFixture.kind();
    const envelope = await fixture.envelope(write);
    await fixture.send(envelope);
    await fixture.settle();
    const answer = await fixture.courier.handle({ payload: envelope.query, wantsReply: true });
    assert.equal(answer?.length, sizes.courierQueryReplyLength);
    assert.equal(
      await fixture.courier.handle({ payload: envelope.query, wantsReply: false }),
      null,
      "nobody to reply to",
    );
    await fixture.network.close();
  });

  void test("dispatches an envelope to both intermediates exactly once", async () => {
    const fixture = await StorageFixture.kind();
    const envelope = await fixture.envelope(read);
    const count = countCommands(fixture);
    await fixture.send(envelope);
    const first = count.total;
    assert.equal(first, 2, "nothing is passed on yet");
    await fixture.settle();
    for (let i = 0; i < 5; i++) await fixture.send(envelope);
    await fixture.settle();
    // Both intermediates asked both shards for a missing box.
    assert.equal(count.total, 6);
    await fixture.network.close();
  });

  void test("acknowledges a repetition that arrives before any reply", async () => {
    const fixture = await StorageFixture.kind();
    for (const { faults } of fixture.network.replicas) faults.loss = 1;
    const envelope = await fixture.envelope(write);
    for (let i = 0; i < 3; i++) {
      await fixture.settle();
      assert.equal((await fixture.send(envelope)).replyType, "ack");
    }
    await fixture.network.close();
  });

  void test("accepts epochs that are off by one", async () => {
    const fixture = await StorageFixture.kind();
    const { envelope } = await fixture.envelope(read);
    const now = BigInt(fixture.replicaEpoch);
    const cases: [bigint, number][] = [
      [now - 2n, 4],
      [now - 1n, 0],
      [now, 0],
      [now + 1n, 0],
      [now + 2n, 4],
      [0n, 4],
      [0xffff_ffff_ffff_ffffn, 4],
    ];
    let isFirst: boolean = true;
    for (const [epoch, code] of cases) {
      for (const replyIndex of [0, 1, 7]) {
        const { errorCode, ...reply } = await envelopeReply(
          fixture,
          encodeCourierQuery({ kind: "envelope", envelope: { ...envelope, epoch, replyIndex } }),
        );
        const what = `epoch ${epoch}, reply index ${replyIndex}`;
        if (code !== 0) {
          assert.equal(errorCode, code, what);
          assert.equal(reply.replyType, "ack");
          assert.equal(reply.replyIndex, replyIndex, "echoed");
          assert.equal(reply.payload.length, 0);
          continue;
        }
        // The second sending of a known envelope gets one of only two replies.
        assert.equal(errorCode, replyIndex === 7 ? 1 : 0, what);
        const isAck: boolean = isFirst || replyIndex === 7;
        assert.equal(reply.replyType, isAck ? "ack" : "payload", what);
        isFirst = false;
        await fixture.settle();
      }
    }
    assert.equal(fixture.courier.cached, 1, "one envelope: the hash does not cover the epoch");
    await fixture.network.close();
  });

  void test("accepts what was sealed in the previous week, and the other way round", async () => {
    const week = epochAt(Date.UTC(2026, 0, 1), REPLICA_EPOCH_MS).epoch;
    const clock = new VirtualClock(epochStart(week + 1, REPLICA_EPOCH_MS) - 1);
    const fixture = await StorageFixture.kind({ clock });
    assert.equal(fixture.replicaEpoch, week);
    const writing = await fixture.envelope(write);
    const reading = await fixture.envelope(read);
    // A client whose clock is ahead seals to the keys of the coming week.
    const other = stream(2);
    const early = await fixture.envelope(
      makeWriteMessage(sizes, other.writeCap, other.firstMessageIndex, hello),
      { epoch: week + 1 },
    );
    assert.equal((await fixture.ask(early)).errorCode, 0);
    const documentBefore = fixture.document;
    await clock.advance(1);
    assert.equal(fixture.replicaEpoch, week + 1);
    assert.equal((await fixture.ask(writing)).errorCode, 0);
    const got = await fixture.ask(reading);
    assert.deepEqual(openReadReply(readCap, firstMessageIndex, got as ReplicaReadReply), hello);
    await fixture.publish();
    assert.notEqual(fixture.document, documentBefore);
    assert.equal((await fixture.read(other)).errorCode, 0);
    await clock.advance(REPLICA_EPOCH_MS);
    for (const { query } of [writing, reading]) {
      assert.equal((await envelopeReply(fixture, query)).errorCode, 4, "two weeks are too many");
    }
    await fixture.network.close();
  });

  void test("echoes a reply index above 1 in the first ACK, and then answers with an error", async () => {
    const fixture = await StorageFixture.kind();
    const { envelope, envelopeHash } = await fixture.envelope(read);
    const first = await envelopeReply(fixture, withIndex(envelope, 2));
    assert.deepEqual([first.replyIndex, first.replyType, first.errorCode], [2, "ack", 0]);
    for (const index of [2, 255]) {
      const again = await envelopeReply(fixture, withIndex(envelope, index));
      assert.deepEqual([again.replyIndex, again.replyType, again.errorCode], [0, "ack", 1]);
      assert.deepEqual(again.envelopeHash, envelopeHash);
    }
    await fixture.network.close();
  });

  void test("prefers the requested slot, and serves the other one when that is empty", async () => {
    const fixture = await StorageFixture.kind();
    const envelope = await fixture.envelope(write);
    await fixture.send(envelope);
    await fixture.settle();
    const both: Uint8Array[] = [];
    for (const index of [0, 1]) {
      const reply = await envelopeReply(fixture, withIndex(envelope.envelope, index));
      assert.equal(reply.replyIndex, index);
      both.push(reply.payload);
    }
    assert.ok(!equalBytes(both[0]!, both[1]!));

    for (const silent of [0, 1] as const) {
      const other = 1 - silent;
      const next = await fixture.envelope(write);
      const id = next.envelope.intermediateReplicas[silent];
      fixture.network.replicas[id]!.faults.offline = true;
      await fixture.send(next);
      await fixture.settle();
      for (const index of [0, 1]) {
        const reply = await envelopeReply(fixture, withIndex(next.envelope, index));
        assert.equal(reply.replyType, "payload");
        assert.equal(reply.replyIndex, other, "names the replica of the reply");
      }
      fixture.network.replicas[id]!.faults.offline = false;
    }
    await fixture.network.close();
  });

  void test("replaces a miss with the box that the other intermediate found", async () => {
    const fixture = await StorageFixture.kind();
    await fixture.write(writeCap, firstMessageIndex, hello);
    const envelope = await fixture.envelope(read);
    fixture.network.replicas[envelope.envelope.intermediateReplicas[0]]!.faults.failNext(1);
    await fixture.send(envelope);
    await fixture.settle();
    const reply = await fixture.send(envelope);
    assert.equal(reply.replyIndex, 1);
    const opened = await fixture.open(envelope.envelopeDescriptor, reply.payload);
    assert.equal(opened.errorCode, 0);
    await fixture.network.close();
  });

  void test("serves any other error of the requested slot unchanged", async () => {
    const fixture = await StorageFixture.kind();
    const envelope = await fixture.envelope(write);
    fixture.network.replicas[envelope.envelope.intermediateReplicas[0]]!.faults.failNext(10);
    await fixture.send(envelope);
    await fixture.settle();
    const reply = await fixture.send(envelope);
    assert.equal(reply.replyIndex, 0);
    assert.equal(reply.errorCode, 0, "a replica's code travels inside");
    const opened = await fixture.open(envelope.envelopeDescriptor, reply.payload);
    assert.equal(opened.errorCode, 10);
    await fixture.network.close();
  });

  void test("asks the second replica even if the first is unknown", async () => {
    const fixture = await StorageFixture.kind();
    const { envelope } = await fixture.envelope(write);
    const [, second] = envelope.intermediateReplicas;
    const query = encodeCourierQuery({
      kind: "envelope",
      envelope: { ...envelope, intermediateReplicas: [200, second] },
    });
    await fixture.query(query);
    await fixture.settle();
    const reply = await envelopeReply(fixture, query);
    assert.equal(reply.replyType, "payload");
    assert.equal(reply.replyIndex, 1);
    await fixture.network.close();
  });

  void test("treats envelopes whose lengths no replica could accept as invalid", async () => {
    const fixture = await StorageFixture.kind();
    const { envelope } = await fixture.envelope(write);
    const count = countCommands(fixture);
    const wrong: Partial<CourierEnvelope>[] = [
      { senderPublicKey: new Uint8Array(0) },
      { senderPublicKey: new Uint8Array(33) },
      { ciphertext: envelope.ciphertext.slice(1) },
      { ciphertext: concatBytes(envelope.ciphertext, new Uint8Array(1)) },
      { ciphertext: new Uint8Array(0) },
    ];
    for (const change of wrong) {
      const reply = await envelopeReply(
        fixture,
        encodeCourierQuery({ kind: "envelope", envelope: { ...envelope, ...change } }),
      );
      assert.equal(reply.errorCode, 1);
      assert.equal(reply.replyType, "ack");
    }
    assert.equal(count.total, 0);
    assert.equal(fixture.courier.cached, 0);
    await fixture.network.close();
  });

  void test("does not reply to what does not parse", async () => {
    const fixture = await StorageFixture.kind();
    const { query } = await fixture.envelope(write);
    for (const payload of [new Uint8Array(0), Uint8Array.of(2), query.slice(0, 300)]) {
      assert.equal(await fixture.courier.handle({ payload, wantsReply: true }), null);
    }
    assert.equal(fixture.courier.cached, 0);
    await fixture.network.close();
    const late = await fixture.courier.handle({ payload: query, wantsReply: true });
    assert.equal(late, null, "closed");
  });

  void test("does not throw for any mutation of a query", async () => {
    const fixture = await StorageFixture.kind();
    const { query } = await fixture.envelope(read);
    const copy = encodeCourierQuery({ kind: "copy", writeCap: stream(3).writeCap });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(query, copy),
        fc.array(fc.tuple(fc.nat(query.length), fc.nat(255)), { maxLength: 5 }),
        fc.option(fc.nat(query.length)),
        async (whole, changes, cut) => {
          runs++;
          const payload = whole.slice(0, cut ?? whole.length);
          for (const [at, to] of changes) if (at < payload.length) payload[at] = to;
          const answer = await fixture.courier.handle({ payload, wantsReply: true });
          if (answer !== null) decodeCourierQueryReply(answer);
          await fixture.settle();
        },
      ),
      { numRuns: 150 },
    );
    assert.equal(runs, 150);
    assert.equal(await fixture.write(writeCap, firstMessageIndex, hello), 0, "still works");
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });
});

void describe("a courier asked about a box that is not there yet", () => {
  void test("asks again after a pause while boxes are stored, as long as the entry lives", async () => {
    const fixture = await StorageFixture.kind({ timing: { courierRedispatchMs: 1000 } });
    const envelope = await fixture.envelope(read);
    const count = countCommands(fixture);
    await fixture.send(envelope);
    await fixture.settle();
    assert.equal(count.total, 6);
    for (let round = 1; round < 20; round++) {
      const other = stream(100 + round);
      await fixture.write(other.writeCap, other.firstMessageIndex, hello);
      const before: number = count.total;
      await fixture.virtual.advance(999);
      for (let i = 0; i < 3; i++) await fixture.send(envelope);
      await fixture.settle();
      assert.equal(count.total, before, "not before its time");
      await fixture.virtual.advance(1);
      const reply = await fixture.send(envelope);
      assert.equal(reply.replyType, "payload");
      assert.equal(count.total, before + 6, "the answer is as new as the question");
      await fixture.send(envelope);
      await fixture.settle();
      assert.equal(count.total, before + 6);
    }
    await fixture.network.close();
  });

  void test("asks only every half minute while nothing is stored anywhere", async () => {
    const fixture = await StorageFixture.kind();
    const envelope = await fixture.envelope(read);
    const count = countCommands(fixture);
    await fixture.send(envelope);
    await fixture.settle();
    for (let second = 0; second < 95; second++) {
      await fixture.virtual.advance(1000);
      const reply = await fixture.send(envelope);
      assert.equal(reply.replyType, "payload", "the cached miss is served");
    }
    assert.equal(count.total, 6 * 4);
    await fixture.network.close();
  });

  void test("asks again after a pause on a network with delays, where no count of boxes is available", async () => {
    const fixture = await StorageFixture.kind({ paced: true });
    const envelope = await fixture.envelope(read);
    const count = countCommands(fixture);
    await fixture.send(envelope);
    await fixture.virtual.advance(10_000);
    assert.equal(count.total, 6);
    await fixture.send(envelope);
    await fixture.virtual.advance(10_000);
    assert.equal(count.total, 12);
    await fixture.network.close();
  });

  void test("serves the box once it has arrived", async () => {
    const fixture = await StorageFixture.kind();
    const envelope = await fixture.envelope(read);
    await fixture.send(envelope);
    await fixture.settle();
    const miss = await fixture.send(envelope);
    assert.equal((await fixture.open(envelope.envelopeDescriptor, miss.payload)).errorCode, 1);
    await fixture.write(writeCap, firstMessageIndex, hello);
    await fixture.virtual.advance(120_000);
    await fixture.send(envelope);
    await fixture.settle();
    const found = await fixture.send(envelope);
    assert.equal((await fixture.open(envelope.envelopeDescriptor, found.payload)).errorCode, 0);
    const count = countCommands(fixture);
    await fixture.virtual.advance(2000);
    await fixture.send(envelope);
    await fixture.settle();
    assert.equal(count.total, 0, "a found box is not requested again");
    await fixture.network.close();
  });

  void test("asks again for a tombstone too", async () => {
    const fixture = await StorageFixture.kind();
    await fixture.write(writeCap, firstMessageIndex, new Uint8Array(0));
    const envelope = await fixture.envelope(read);
    await fixture.send(envelope);
    await fixture.settle();
    const count = countCommands(fixture);
    await fixture.virtual.advance(instantTiming.courierRedispatchMs);
    const reply = await fixture.send(envelope);
    assert.equal((await fixture.open(envelope.envelopeDescriptor, reply.payload)).errorCode, 11);
    await fixture.settle();
    assert.equal(count.total, 4, "two intermediates, each satisfied with one shard");
    await fixture.network.close();
  });

  void test("forgets an envelope when it expires, requested or not", async () => {
    const fixture = await StorageFixture.kind();
    const [first, second] = [await fixture.envelope(read), await fixture.envelope(read)];
    await fixture.send(first);
    await fixture.virtual.advance(1000);
    await fixture.send(second);
    assert.equal(fixture.courier.cached, 2);
    await fixture.virtual.advance(cacheMs - 1000);
    assert.equal(fixture.courier.cached, 1, "by timer");
    assert.equal((await fixture.send(first)).replyType, "ack", "as if it were new");
    await fixture.virtual.advance(cacheMs);
    assert.equal(fixture.courier.cached, 0);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("keeps at most its maximum number of envelopes", async () => {
    const fixture = await StorageFixture.kind();
    for (const { faults } of fixture.network.replicas) faults.offline = true;
    const { envelope } = await fixture.envelope(read);
    for (let i = 0; i < 8200; i++) {
      const ciphertext = envelope.ciphertext.slice();
      new DataView(ciphertext.buffer).setUint32(0, i);
      await fixture.query(
        encodeCourierQuery({ kind: "envelope", envelope: { ...envelope, ciphertext } }),
      );
    }
    assert.equal(fixture.courier.cached, 8192);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });
});

void describe("a courier whose replicas are silent", () => {
  void test("dispatches again by itself, less and less often, until one answers", async () => {
    const fixture = await StorageFixture.kind();
    for (const { faults } of fixture.network.replicas) faults.loss = 1;
    const count = countCommands(fixture);
    await fixture.send(await fixture.envelope(write));
    assert.equal(count.total, 2);
    const { courierSilenceMs } = instantTiming;
    await fixture.virtual.advance(2 * courierSilenceMs);
    assert.equal(count.total, 4);
    await fixture.virtual.advance(2 * courierSilenceMs);
    assert.equal(count.total, 4, "the second pause is longer");
    for (const { faults } of fixture.network.replicas) faults.clear();
    await fixture.virtual.advance(20 * courierSilenceMs);
    assert.ok(fixture.network.replicas.some(({ stored }) => stored.boxes === 1));
    const after = count.total;
    await fixture.virtual.advance(100_000);
    assert.equal(count.total, after, "satisfied");
    await fixture.network.close();
  });

  void test("accepts answers that arrive after the permitted silence", async () => {
    // This is long enough for the proxies in between.
    const fixture = await StorageFixture.kind({ timing: { proxyMs: 60_000 } });
    for (const { faults } of fixture.network.replicas) faults.slowMs = 4000;
    const envelope = await fixture.envelope(write);
    await fixture.send(envelope);
    await fixture.virtual.advance(60_000);
    assert.equal((await fixture.send(envelope)).replyType, "payload");
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("continues by itself after a temporary error, which is not a verdict", async () => {
    for (const code of [4, 6, 7, 8, 9]) {
      const fixture = await StorageFixture.kind();
      for (const { faults } of fixture.network.replicas) faults.fail(code);
      const envelope = await fixture.envelope(write);
      await fixture.send(envelope);
      await fixture.settle();
      const refused = await fixture.send(envelope);
      const opened = await fixture.open(envelope.envelopeDescriptor, refused.payload);
      assert.equal(opened.errorCode, code, "but a client that asks is told");
      for (const { faults } of fixture.network.replicas) faults.clear();
      await fixture.virtual.advance(10 * instantTiming.courierSilenceMs);
      assert.ok(
        fixture.network.replicas.some(({ stored }) => stored.boxes === 1),
        `code ${code}`,
      );
      await fixture.network.close();
    }
  });

  void test("has at most 256 envelopes in flight, and the others wait their turn", async () => {
    const fixture = await StorageFixture.kind();
    for (const { faults } of fixture.network.replicas) faults.loss = 1;
    const count = countCommands(fixture);
    const { envelope } = await fixture.envelope(read);
    for (let i = 0; i < 300; i++) {
      const ciphertext = envelope.ciphertext.slice();
      new DataView(ciphertext.buffer).setUint32(0, i);
      await fixture.query(
        encodeCourierQuery({ kind: "envelope", envelope: { ...envelope, ciphertext } }),
      );
    }
    assert.equal(count.total, 512);
    await fixture.virtual.advance(instantTiming.courierSilenceMs);
    assert.equal(count.total, 600);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });
});

void describe("a courier with a log", () => {
  async function start(log: RecordingLog, options = {}): Promise<StorageFixture> {
    return StorageFixture.kind({ ...options, logFor: () => log });
  }

  void test("does not acknowledge before it is logged", async () => {
    const log = new RecordingLog();
    const fixture = await start(log);
    log.hold = true;
    const envelope = await fixture.envelope(write);
    let answers = 0;
    const both = [fixture.send(envelope), fixture.send(envelope)].map(async (sent) => {
      await sent;
      answers++;
    });
    await fixture.settle();
    assert.equal(answers, 0, "neither the first nor a repetition");
    log.release!();
    await Promise.all(both);
    assert.equal(answers, 2);
    await fixture.network.close();
    assert.equal(log.closed, 1);
  });

  void test("does not answer if it could not log, and accepts the next try", async () => {
    const log = new RecordingLog();
    const fixture = await start(log);
    log.failing = true;
    for (const { faults } of fixture.network.replicas) faults.fail(6);
    const envelope = await fixture.envelope(write);
    assert.equal(await fixture.query(envelope.query), null);
    assert.equal(
      await fixture.query(encodeCourierQuery({ kind: "copy", writeCap: stream(3).writeCap })),
      null,
    );
    log.failing = false;
    assert.equal((await fixture.send(envelope)).replyType, "ack");
    await fixture.network.close();
  });

  void test("passes on a replica's verdict on an envelope that could not be logged", async () => {
    const log = new RecordingLog();
    const fixture = await start(log);
    assert.equal(
      await fixture.write(stream(5).writeCap, stream(5).firstMessageIndex, utf8("x")),
      0,
    );
    log.failing = true;
    const read = await fixture.envelope(
      makeReadMessage(stream(5).readCap, stream(5).firstMessageIndex),
    );
    for (let i = 0; i < 2; i++) {
      const reply = await fixture.send(read);
      assert.equal(reply.replyType, "payload", "a stored box can be read");
      assert.equal((await fixture.open(read.envelopeDescriptor, reply.payload)).errorCode, 0);
    }
    const written = await fixture.envelope(write);
    const reply = await fixture.send(written);
    assert.equal(reply.replyType, "payload", "a replica has it, so it is not a promise");
    assert.equal((await fixture.open(written.envelopeDescriptor, reply.payload)).errorCode, 0);
    await fixture.network.close();
  });

  void test("forgets an envelope when a replica gave its verdict", async () => {
    const log = new RecordingLog();
    const fixture = await start(log);
    for (const { faults } of fixture.network.replicas) faults.fail(6);
    await fixture.send(await fixture.envelope(write));
    await fixture.settle();
    assert.deepEqual(log.kinds, ["envelope"], "a full store is not a verdict");
    for (const { faults } of fixture.network.replicas) faults.clear();
    await fixture.virtual.advance(2 * instantTiming.courierSilenceMs);
    assert.deepEqual(log.kinds, []);
    await fixture.send(
      await fixture.envelope(makeReadMessage(stream(5).readCap, stream(5).firstMessageIndex)),
    );
    await fixture.settle();
    assert.deepEqual(log.kinds, [], "a miss is a verdict");
    await fixture.network.close();
  });

  void test("keeps an envelope without a verdict as long as a replica could accept it", async () => {
    const log = new RecordingLog();
    const fixture = await start(log);
    for (const { faults } of fixture.network.replicas) faults.offline = true;
    await fixture.send(await fixture.envelope(write));
    const other = stream(2);
    const second = makeWriteMessage(sizes, other.writeCap, other.firstMessageIndex, hello);
    await fixture.virtual.advance(REPLICA_EPOCH_MS - 3_600_000);
    await fixture.send(await fixture.envelope(second));
    assert.deepEqual(log.kinds, ["envelope", "envelope"]);
    assert.equal(fixture.courier.cached, 2);
    for (const { faults } of fixture.network.replicas) faults.clear();
    await fixture.virtual.advance(60_000);
    assert.deepEqual(log.kinds, [], "delivered");
    assert.equal((await fixture.read(keys)).errorCode, 0, "days after it was acknowledged");
    await fixture.virtual.advance(cacheMs);
    assert.equal(fixture.courier.cached, 0);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("forgets an envelope whose epoch is too far off for any replica", async () => {
    const log = new RecordingLog();
    const clock = new VirtualClock(epochStart(500, REPLICA_EPOCH_MS) - 3_600_000);
    const fixture = await start(log, { clock });
    for (const { faults } of fixture.network.replicas) faults.offline = true;
    await fixture.send(await fixture.envelope(write));
    await clock.advance(REPLICA_EPOCH_MS);
    assert.deepEqual(log.kinds, ["envelope"], "the epoch after its own");
    await clock.advance(2 * 3_600_000);
    assert.deepEqual(log.kinds, []);
    assert.equal(fixture.courier.cached, 0);
    await fixture.network.close();
    assert.equal(clock.pending, 0);
  });

  void test("accepts no more when its log is full, and keeps what it acknowledged", async () => {
    const log = new RecordingLog();
    const fixture = await start(log);
    for (const { faults } of fixture.network.replicas) faults.offline = true;
    const real = await fixture.envelope(write);
    await fixture.send(real);
    // The replicas do not exist, so no verdict ever arrives.
    const send = (number: number) => {
      const ciphertext = real.envelope.ciphertext.slice();
      new DataView(ciphertext.buffer).setUint32(0, number);
      const envelope = { ...real.envelope, ciphertext, intermediateReplicas: [200, 201] as const };
      return fixture.query(encodeCourierQuery({ kind: "envelope", envelope }));
    };
    for (let i = 1; i < 8192; i++) assert.notEqual(await send(i), null);
    assert.equal(await send(8192), null, "not acknowledged: the client asks again");
    assert.notEqual(await send(1), null, "a known one is still known");
    assert.deepEqual([fixture.courier.cached, log.records.size], [8192, 8192]);
    for (const { faults } of fixture.network.replicas) faults.clear();
    await fixture.virtual.advance(10 * instantTiming.courierSilenceMs);
    assert.equal(log.records.size, 8191, "one is delivered, and may give way");
    assert.notEqual(await send(8192), null);
    assert.equal(await send(8193), null);
    assert.deepEqual([fixture.courier.cached, log.records.size], [8192, 8192]);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("dispatches logged envelopes when it starts again", async () => {
    const log = new RecordingLog();
    const before = await start(log);
    for (const { faults } of before.network.replicas) faults.loss = 1;
    await before.send(await before.envelope(write));
    await before.network.close();
    assert.deepEqual(log.kinds, ["envelope"]);
    const after = await start(log);
    await after.settle();
    const reply = await after.read(keys);
    assert.deepEqual(openReadReply(readCap, firstMessageIndex, reply as ReplicaReadReply), hello);
    assert.deepEqual(log.kinds, []);
    await after.network.close();
  });

  void test("drops records that it cannot read", async () => {
    const log = new RecordingLog();
    const key = new Uint8Array(32);
    const kinds = ["envelope", "copy", "clear", "result"] as const;
    for (const [i, kind] of kinds.entries()) {
      log.records.set(String(i), { kind, key: key.slice().fill(i), body: Uint8Array.of(1, 2, 3) });
    }
    const removed: number[] = [];
    log.remove = (of) => removed.push(of[0]!);
    const fixture = await start(log);
    await fixture.settle();
    assert.deepEqual(removed, [0, 1, 2, 3]);
    await fixture.network.close();
  });
});

void describe("a courier with the behaviour of real ones", () => {
  void test("asks replicas for a missing box five more times, then serves the miss that it has", async () => {
    const fixture = await StorageFixture.start();
    const envelope = await fixture.envelope(read);
    const count = countCommands(fixture);
    await fixture.send(envelope);
    await fixture.settle();
    const round = count.total;
    for (let asked = 1; asked <= 20; asked++) {
      const reply = await fixture.send(envelope);
      const opened = await fixture.open(envelope.envelopeDescriptor, reply.payload);
      assert.equal(opened.errorCode, 1);
      await fixture.settle();
      assert.equal(count.total, round * (1 + Math.min(asked, 5)));
    }
    await fixture.network.close();
  });

  void test("serves the miss although the box exists, until another envelope arrives after it expired", async () => {
    const fixture = await StorageFixture.start();
    const reading = await fixture.envelope(read);
    const isFound = async (): Promise<boolean> => {
      const reply = await fixture.send(reading);
      await fixture.settle();
      if (reply.replyType === "ack") return false;
      return (await fixture.open(reading.envelopeDescriptor, reply.payload)).errorCode === 0;
    };
    for (let asked = 0; asked < 7; asked++) assert.equal(await isFound(), false);
    assert.equal(await fixture.write(writeCap, firstMessageIndex, hello), 0);
    assert.equal(await isFound(), false);
    assert.equal((await fixture.read(keys)).errorCode, 0, "a fresh envelope finds it");
    await fixture.virtual.advance(instantTiming.courierCacheMs + 1);
    assert.equal(await isFound(), false, "its age is not checked when it is requested");
    await fixture.send(await fixture.envelope(makeReadMessage(readCap, firstMessageIndex)));
    await fixture.settle();
    assert.equal(await isFound(), false, "accepted again, and acknowledged");
    assert.equal(await isFound(), true);
    await fixture.network.close();
  });

  void test("answers a question from its cache and then asks the replicas", async () => {
    const fixture = await StorageFixture.start();
    const reading = await fixture.envelope(read);
    await fixture.send(reading);
    await fixture.settle();
    await fixture.write(writeCap, firstMessageIndex, hello);
    const codes: number[] = [];
    for (let asked = 0; asked < 2; asked++) {
      const reply = await fixture.send(reading);
      codes.push((await fixture.open(reading.envelopeDescriptor, reply.payload)).errorCode);
      await fixture.settle();
    }
    assert.deepEqual(codes, [1, 0]);
    await fixture.network.close();
  });

  void test("serves the miss of the requested slot although the other intermediate found the box", async () => {
    const fixture = await StorageFixture.start();
    await fixture.write(writeCap, firstMessageIndex, hello);
    const envelope = await fixture.envelope(read);
    fixture.network.replicas[envelope.envelope.intermediateReplicas[0]]!.faults.failNext(1);
    await fixture.send(envelope);
    await fixture.settle();
    for (let asked = 0; asked < 10; asked++) {
      const reply = await fixture.send(envelope);
      const opened = await fixture.open(envelope.envelopeDescriptor, reply.payload);
      assert.deepEqual([reply.replyIndex, opened.errorCode], [0, 1]);
      await fixture.settle();
    }
    await fixture.network.close();
  });

  void test("does not ask the second intermediate if the first is unknown", async () => {
    const fixture = await StorageFixture.start();
    const { envelope } = await fixture.envelope(write);
    const [, second] = envelope.intermediateReplicas;
    const unknown = { ...envelope, intermediateReplicas: [200, second] as const };
    const query = encodeCourierQuery({ kind: "envelope", envelope: unknown });
    await fixture.query(query);
    await fixture.virtual.advance(60_000);
    assert.equal((await envelopeReply(fixture, query)).replyType, "ack");
    assert.ok(fixture.network.replicas.every(({ stored }) => stored.boxes === 0));
    await fixture.network.close();
  });

  void test("keeps an envelope for a replica that is away, and asks the other one", async () => {
    const fixture = await StorageFixture.start();
    const envelope = await fixture.envelope(write);
    const [first] = envelope.envelope.intermediateReplicas;
    const { faults } = fixture.network.replicas[first]!;
    faults.offline = true;
    await fixture.send(envelope);
    await fixture.settle();
    assert.equal((await fixture.send(envelope)).replyIndex, 1);
    faults.offline = false;
    await fixture.virtual.advance(instantTiming.courierRedispatchMs);
    assert.equal((await fixture.send(envelope)).replyIndex, 0);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("sends nothing again by itself, so a write that replicas refused or missed is lost", async () => {
    const fixture = await StorageFixture.start();
    const envelope = await fixture.envelope(write);
    const ids = envelope.envelope.intermediateReplicas;
    for (const id of ids) fixture.network.replicas[id]!.faults.failNext(7);
    assert.equal((await fixture.send(envelope)).errorCode, 0, "acknowledged");
    await fixture.virtual.advance(3_600_000);
    assert.ok(fixture.network.replicas.every(({ stored }) => stored.boxes === 0));
    assert.equal((await fixture.read(keys)).errorCode, 1);
    await fixture.network.close();
  });
});
