import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes } from "../../../src/bytes/bytes.js";
import { encodeCopyStreamElement } from "../../../src/crypto/copy-stream/element.js";
import { copyChunkLength } from "../../../src/pki/copy-stream-plan.js";
import {
  makeReadMessage,
  makeWriteMessage,
  openReadReply,
} from "../../../src/crypto/envelope/box-messages.js";
import { type Keypair, keypairFromSeed } from "../../../src/bacap/capabilities.js";
import {
  type CopyCommandReply,
  encodeCourierQuery,
} from "../../../src/crypto/envelope/courier-messages.js";
import type { ReplicaReadReply } from "../../../src/crypto/envelope/replica-messages.js";
import { instantTiming } from "../../../src/mixnet/timing.js";
import type { CourierRecord, EnvelopeLog } from "../../../src/network/courier/envelope-log.js";
import { type BoxStore, MemoryBoxStore } from "../../../src/network/replica/box-store.js";
import type { ReplicaIdentity } from "../../../src/network/replica/replica.js";
import {
  elementsOf,
  envelopesFor,
  places,
  prepareCopy,
  writeElements,
} from "../copy-stream-fixture.js";
import { StorageFixture, sizes, stream } from "../storage-fixture.js";

const temporary = stream(1);
const destination = stream(2);
const payload = new Uint8Array(1000).map((_, i) => i % 251);
const chunks = Math.ceil(payload.length / copyChunkLength(sizes));

const running: CopyCommandReply = { status: 1, errorCode: 0, failedEnvelopeIndex: 0n };
const done: CopyCommandReply = { status: 0, errorCode: 0, failedEnvelopeIndex: 0n };

function failed(errorCode: number, at: number): CopyCommandReply {
  return { status: 2, errorCode, failedEnvelopeIndex: BigInt(at) };
}

/** Polls until the command has ended. */
async function finish(
  fixture: StorageFixture,
  cap = temporary.writeCap,
): Promise<CopyCommandReply> {
  for (let i = 0; i < 10_000; i++) {
    const reply = await fixture.copy(cap);
    if (reply.status !== 1) return reply;
    await fixture.settle();
    await fixture.virtual.advance(10);
  }
  throw new Error("the copy does not end");
}

/** The contents of the first boxes of a stream, joined. */
async function readAll(fixture: StorageFixture, keys: Keypair, count: number) {
  const parts: Uint8Array[] = [];
  for (const index of places(keys.firstMessageIndex, count)) {
    const reply = (await fixture.read(keys, index)) as ReplicaReadReply;
    parts.push(openReadReply(keys.readCap, index, reply));
  }
  return concatBytes(...parts);
}

/** The codes of reading the first boxes of a stream. */
async function codesOf(fixture: StorageFixture, keys: Keypair, count: number): Promise<number[]> {
  const codes: number[] = [];
  for (const index of places(keys.firstMessageIndex, count)) {
    codes.push((await fixture.read(keys, index)).errorCode);
  }
  return codes;
}

class MemoryLog implements EnvelopeLog {
  readonly records = new Map<string, CourierRecord>();

  append(record: CourierRecord): void {
    this.records.set(String(record.key), record);
  }

  remove(key: Uint8Array): void {
    this.records.delete(String(key));
  }

  *entries(): Iterable<CourierRecord> {
    yield* this.records.values();
  }

  close(): void {}

  get kinds(): string[] {
    return [...this.records.values()].map(({ kind }) => kind);
  }
}

void describe("a copy command", () => {
  void test("copies in the background, and keeps its result", async () => {
    const fixture = await StorageFixture.kind();
    const { boxes, envelopes } = await prepareCopy(fixture, temporary, destination, payload);
    assert.equal(envelopes, chunks);
    assert.ok(boxes > envelopes);
    assert.deepEqual(await fixture.copy(temporary.writeCap), running);
    assert.deepEqual(await fixture.copy(temporary.writeCap), running);
    assert.deepEqual(await finish(fixture), done);
    assert.deepEqual(await readAll(fixture, destination, chunks), payload);
    await fixture.virtual.advance(instantTiming.copyResultMs - 120_000);
    assert.deepEqual(await fixture.copy(temporary.writeCap), done, "still known");
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("does not delete the temporary boxes, so that it can be repeated", async () => {
    const fixture = await StorageFixture.start();
    const { boxes } = await prepareCopy(fixture, temporary, destination, payload);
    await finish(fixture);
    await fixture.settle();
    await fixture.settle();
    const codes = await codesOf(fixture, temporary, boxes + 1);
    assert.deepEqual(codes, [...Array.from({ length: boxes }, () => 0), 1]);
    await fixture.virtual.advance(instantTiming.copyResultMs);
    assert.deepEqual(await fixture.copy(temporary.writeCap), running, "started again");
    assert.deepEqual(await finish(fixture), done);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("of a kind courier leaves true tombstones in the temporary boxes, and nothing after them", async () => {
    const fixture = await StorageFixture.kind();
    const { boxes } = await prepareCopy(fixture, temporary, destination, payload);
    await finish(fixture);
    await fixture.settle();
    await fixture.settle();
    const codes = await codesOf(fixture, temporary, boxes + 1);
    assert.deepEqual(codes, [...Array.from({ length: boxes }, () => 11), 1]);
    for (const replica of fixture.network.replicas) {
      assert.equal(replica.unreplicated, 0);
    }
    // The writer itself signed each: it opens as a tombstone, which its signature proves.
    const reply = (await fixture.read(temporary)) as ReplicaReadReply;
    assert.throws(
      () => openReadReply(temporary.readCap, temporary.firstMessageIndex, reply),
      (error: Error) => error.name === "TombstoneError",
    );
    await fixture.network.close();
  });

  void test("of a kind courier fails after its result is forgotten, because it deleted the boxes", async () => {
    const fixture = await StorageFixture.kind();
    await prepareCopy(fixture, temporary, destination, payload);
    await finish(fixture);
    await fixture.virtual.advance(instantTiming.copyResultMs);
    assert.deepEqual(await fixture.copy(temporary.writeCap), running, "started again");
    assert.deepEqual(await finish(fixture), failed(11, 1));
    await fixture.network.close();
  });

  void test("writes existing content again, which is a success", async () => {
    const fixture = await StorageFixture.kind({ courierCount: 2 });
    await prepareCopy(fixture, temporary, destination, payload);
    const [first, second] = fixture.network.couriers;
    const both = [first!, second!].map(async (courier) => {
      for (;;) {
        const reply = await fixture.copy(temporary.writeCap, courier);
        if (reply.status !== 1) return reply;
        await fixture.settle();
      }
    });
    // Both read before either deletes, because they run in step.
    assert.deepEqual(await Promise.all(both), [done, done]);
    assert.deepEqual(await readAll(fixture, destination, chunks), payload);
    await fixture.network.close();
  });

  void test("ends at the first envelope that a replica refuses, and names it", async () => {
    const fixture = await StorageFixture.kind();
    await prepareCopy(fixture, temporary, destination, payload);
    const third = places(destination.firstMessageIndex, 3)[2]!;
    assert.equal(await fixture.write(destination.writeCap, third, new Uint8Array([1])), 0);
    assert.deepEqual(await finish(fixture), failed(10, 3));
    const codes = await codesOf(fixture, destination, chunks);
    assert.deepEqual(codes, [0, 0, 0, ...Array.from({ length: chunks - 3 }, () => 1)]);
    assert.deepEqual(
      await fixture.copy(temporary.writeCap),
      failed(10, 3),
      "the failure is kept too",
    );
    const kept = await codesOf(fixture, temporary, 2);
    assert.deepEqual(kept, [0, 0], "the boxes stay, for another try");
    await fixture.network.close();
  });

  void test("succeeds if one of two writes succeeds", async () => {
    const fixture = await StorageFixture.kind();
    const envelopes = await envelopesFor(fixture, destination, payload.slice(0, 10));
    await writeElements(fixture, temporary, elementsOf(fixture, envelopes));
    const id = envelopes[0]!.intermediateReplicas[0];
    fixture.network.replicas[id]!.faults.offline = true;
    assert.deepEqual(await finish(fixture), done);
    assert.equal((await fixture.read(destination)).errorCode, 0);
    await fixture.network.close();
  });

  void test("sends an envelope again while both replicas are silent, but not forever", async () => {
    for (const comesBack of [true, false]) {
      const fixture = await StorageFixture.kind();
      const envelopes = await envelopesFor(fixture, destination, payload.slice(0, 10));
      const lonely = { ...envelopes[0]!, intermediateReplicas: [77, 78] as [number, number] };
      if (comesBack) lonely.intermediateReplicas[1] = envelopes[0]!.intermediateReplicas[1];
      await writeElements(fixture, temporary, elementsOf(fixture, [lonely]));
      const silent = fixture.network.replicas[envelopes[0]!.intermediateReplicas[1]]!;
      silent.faults.loss = 1;
      const ended = finish(fixture);
      await fixture.settle();
      if (comesBack) {
        await fixture.virtual.advance(3 * instantTiming.copyStepMs);
        silent.faults.loss = 0;
      }
      assert.deepEqual(await ended, comesBack ? done : failed(0, 1));
      await fixture.network.close();
      assert.equal(fixture.virtual.pending, 0);
    }
  });

  void test("waits for a temporary box that does not exist yet", async () => {
    const fixture = await StorageFixture.kind();
    const envelopes = await envelopesFor(fixture, destination, payload);
    const elements = elementsOf(fixture, envelopes);
    await writeElements(fixture, temporary, elements.slice(0, 2));
    assert.deepEqual(await fixture.copy(temporary.writeCap), running);
    await fixture.virtual.advance(500);
    assert.deepEqual(await fixture.copy(temporary.writeCap), running);
    await writeElements(fixture, temporary, elements);
    assert.deepEqual(await finish(fixture), done);
    assert.deepEqual(await readAll(fixture, destination, chunks), payload);
    await fixture.network.close();
  });

  void test("fails with 1 after all tries if the stream breaks off", async () => {
    const fixture = await StorageFixture.kind();
    const envelopes = await envelopesFor(fixture, destination, payload);
    const elements = elementsOf(fixture, envelopes);
    await writeElements(fixture, temporary, elements.slice(0, 4));
    const start = fixture.clock.monotonic();
    const reply = await finish(fixture);
    const whole = Math.floor(
      (4 * (sizes.maxPlaintextPayloadLength - 5)) / (4 + sizes.courierEnvelopeLength),
    );
    assert.deepEqual(reply, failed(1, whole + 1));
    const { first, longest } = instantTiming.copyBackoffMs;
    let least = 0;
    for (let i = 0; i + 1 < instantTiming.copyTries; i++)
      least += Math.min(first * 2 ** i, longest);
    assert.ok(fixture.clock.monotonic() - start >= least);
    await fixture.network.close();
  });

  void test("reads from the other shard what the first one does not return", async () => {
    let cases = 0;
    for (const code of [1, 2, 4, 8, 10, 11]) {
      const fixture = await StorageFixture.kind();
      await prepareCopy(fixture, temporary, destination, payload);
      const { boxId } = makeReadMessage(temporary.readCap, temporary.firstMessageIndex);
      // The copy's first question is for the first box at its first shard.
      fixture.network.replicas[fixture.shardsOf(boxId)[0]!]!.faults.failNext(code);
      const start = fixture.clock.monotonic();
      await fixture.copy(temporary.writeCap);
      await fixture.settle();
      assert.deepEqual(await finish(fixture), done, `code ${code}`);
      assert.ok(fixture.clock.monotonic() - start < instantTiming.copyBackoffMs.first);
      await fixture.network.close();
      cases++;
    }
    assert.equal(cases, 6);
  });

  void test("fails at once if every shard gives a permanent error", async () => {
    const fixture = await StorageFixture.kind();
    await prepareCopy(fixture, temporary, destination, payload);
    for (const { faults } of fixture.network.replicas) faults.fail(3);
    const start = fixture.clock.monotonic();
    const reply = await finish(fixture);
    assert.deepEqual(reply, failed(3, 1));
    assert.ok(fixture.clock.monotonic() - start < instantTiming.copyBackoffMs.first);
    await fixture.network.close();
  });

  void test("fails with 0 on bytes that are not a stream", async () => {
    const max = sizes.maxPlaintextPayloadLength;
    const element = (flags: number, data: Uint8Array) => encodeCopyStreamElement({ flags, data });
    const prefixed = (length: number, data: Uint8Array): Uint8Array => {
      const prefix = new Uint8Array(4);
      new DataView(prefix.buffer).setUint32(0, length);
      return concatBytes(prefix, data);
    };
    const bad: Uint8Array[] = [
      Uint8Array.of(2, 255, 255, 255, 255, 0),
      element(3, prefixed(0xffff_ffff, new Uint8Array(9))),
      element(3, prefixed(3, new Uint8Array(3))),
      element(3, prefixed(100, new Uint8Array(50))),
      element(3, Uint8Array.of(0, 0)),
      new Uint8Array(max).fill(255),
    ];
    let cases = 0;
    for (const box of bad) {
      const fixture = await StorageFixture.kind();
      await writeElements(fixture, temporary, [box]);
      assert.deepEqual(await finish(fixture), failed(0, 1), `box ${cases}`);
      await fixture.network.close();
      cases++;
    }
    assert.equal(cases, 6);
  });

  void test("fails at once with index 0 for an invalid capability", async () => {
    const fixture = await StorageFixture.kind();
    const mixed = concatBytes(stream(3).writeCap.slice(0, 32), temporary.writeCap.slice(32));
    for (const cap of [
      new Uint8Array(0),
      new Uint8Array(168),
      temporary.writeCap.slice(1),
      mixed,
    ]) {
      assert.deepEqual(await fixture.copy(cap as typeof temporary.writeCap), failed(0, 0));
    }
    await fixture.network.close();
  });

  void test("fails for a stream without boxes as for one that breaks off", async () => {
    const fixture = await StorageFixture.kind();
    assert.deepEqual(await finish(fixture), failed(1, 1));
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("gets no answer beyond 1,024 unfinished ones unless it is known", async () => {
    const fixture = await StorageFixture.kind();
    for (const { faults } of fixture.network.replicas) faults.loss = 1;
    const caps = Array.from({ length: 1025 }, (_, i) => {
      const bytes = new Uint8Array(32).fill(3);
      new DataView(bytes.buffer).setUint32(0, i);
      return keypairFromSeed(bytes).writeCap;
    });
    const ask = (at: number) =>
      fixture.query(encodeCourierQuery({ kind: "copy", writeCap: caps[at]! }));
    for (let i = 0; i < 1024; i++) assert.notEqual(await ask(i), null);
    assert.equal(await ask(1024), null);
    assert.deepEqual(await fixture.copy(caps[0]!), running);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("copies tombstones", async () => {
    const fixture = await StorageFixture.kind();
    assert.equal(
      await fixture.write(destination.writeCap, destination.firstMessageIndex, payload.slice(0, 5)),
      0,
    );
    const { writeCap, firstMessageIndex } = destination;
    const deletion = makeWriteMessage(sizes, writeCap, firstMessageIndex, new Uint8Array(0));
    const { envelope } = await fixture.envelope(deletion);
    await writeElements(fixture, temporary, elementsOf(fixture, [envelope]));
    assert.deepEqual(await finish(fixture), done);
    assert.equal((await fixture.read(destination)).errorCode, 11);
    await fixture.network.close();
  });

  void test("leaves no timer and reports no result when the courier closes in the middle", async () => {
    const fixture = await StorageFixture.kind();
    await fixture.copy(temporary.writeCap);
    await fixture.virtual.advance(120);
    await fixture.network.close();
    await fixture.settle();
    assert.equal(fixture.virtual.pending, 0);
  });
});

/** Stores that survive their network. */
function lastingStores(): (replica: ReplicaIdentity) => BoxStore {
  const stores = Array.from({ length: 5 }, () => new MemoryBoxStore());
  return ({ replicaId }) => stores[replicaId]!;
}

void describe("copy commands when their courier ends", () => {
  void test("run again if they were running", async () => {
    const log = new MemoryLog();
    const options = { logFor: () => log, storeFor: lastingStores() };
    const before = await StorageFixture.kind(options);
    await prepareCopy(before, temporary, destination, payload);
    for (const { faults } of before.network.replicas) faults.loss = 1;
    assert.deepEqual(await before.copy(temporary.writeCap), running);
    await before.network.close();
    assert.deepEqual(log.kinds, ["copy"]);

    const after = await StorageFixture.kind(options);
    assert.deepEqual(await finish(after), done);
    assert.deepEqual(await readAll(after, destination, chunks), payload);
    await after.settle();
    assert.deepEqual(log.kinds, ["result"]);
    await after.network.close();

    const later = await StorageFixture.kind(options);
    assert.deepEqual(await later.copy(temporary.writeCap), done, "the result is known");
    await later.virtual.advance(instantTiming.copyResultMs);
    assert.deepEqual(log.kinds, []);
    await later.network.close();
  });

  void test("delete the remaining boxes after the next start", async () => {
    const log = new MemoryLog();
    const options = { logFor: () => log, storeFor: lastingStores() };
    const before = await StorageFixture.kind(options);
    const { boxes } = await prepareCopy(before, temporary, destination, payload);
    const append = log.append.bind(log);
    log.append = (record) => {
      append(record);
      if (record.kind !== "clear") return;
      for (const { faults } of before.network.replicas) faults.offline = true;
    };
    assert.deepEqual(await finish(before), done);
    await before.network.close();
    log.append = append;
    assert.deepEqual(log.kinds, ["clear"]);

    const after = await StorageFixture.kind(options);
    assert.deepEqual(await after.copy(temporary.writeCap), done);
    await after.settle();
    await after.settle();
    const codes = await codesOf(after, temporary, boxes);
    assert.deepEqual(new Set(codes), new Set([11]));
    assert.deepEqual(log.kinds, ["result"]);
    await after.network.close();
  });
});
