import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { VirtualClock } from "../../../src/clock/virtual.js";
import { nextMessageBoxIndex } from "../../../src/bacap/message-box-index.js";
import {
  makeReadMessage,
  makeWriteMessage,
  openReadReply,
} from "../../../src/crypto/envelope/box-messages.js";
import { createReplicaMessage } from "../../../src/crypto/envelope/client-envelope.js";
import { envelopeHashOf } from "../../../src/crypto/envelope/courier-messages.js";
import { padMessage } from "../../../src/crypto/envelope/padding.js";
import type { ReplicaReadReply } from "../../../src/crypto/envelope/replica-messages.js";
import { encodeReplicaCommand } from "../../../src/crypto/envelope/wire-commands.js";
import { mkemEncapsulate } from "../../../src/crypto/mkem/mkem.js";
import { x25519Nike } from "../../../src/crypto/nike/x25519.js";
import { instantTiming } from "../../../src/mixnet/timing.js";
import { REPLICA_EPOCH_MS, epochAt, epochStart } from "../../../src/pki/epoch.js";
import { StorageFixture, sizes, stream } from "../storage-fixture.js";

const keys = stream(1);
const { writeCap, readCap, firstMessageIndex } = keys;
const hello = new TextEncoder().encode("hello");
const read = makeReadMessage(readCap, firstMessageIndex);
const write = makeWriteMessage(sizes, writeCap, firstMessageIndex, hello);
const tombstone = makeWriteMessage(sizes, writeCap, firstMessageIndex, new Uint8Array(0));

/** The two shards of the box and the three other replicas. */
function placesIn(fixture: StorageFixture): { shards: number[]; others: number[] } {
  const shards = fixture.shardsOf(read.boxId);
  const others = [0, 1, 2, 3, 4].filter((id) => !shards.includes(id));
  return { shards, others };
}

function textIn(reply: unknown): string {
  return new TextDecoder().decode(
    openReadReply(readCap, firstMessageIndex, reply as ReplicaReadReply),
  );
}

void describe("a replica", () => {
  void test("stores a courier's box if it is a shard, and passes it to the other shard", async () => {
    const fixture = await StorageFixture.start();
    const { shards } = placesIn(fixture);
    assert.deepEqual(await fixture.askReplica(shards[0]!, write), {
      errorCode: 0,
      reply: { kind: "write", errorCode: 0 },
    });
    await fixture.settle();
    for (const replica of fixture.network.replicas) {
      const expected = shards.includes(replica.identity.replicaId) ? 1 : 0;
      assert.equal(replica.stored.boxes, expected, replica.identity.name);
    }
    for (const shard of shards) {
      assert.equal(textIn((await fixture.askReplica(shard, read)).reply), "hello");
    }
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("repeats the inner code in the outer one", async () => {
    const fixture = await StorageFixture.start();
    const { shards, others } = placesIn(fixture);
    for (const replica of [...shards, ...others]) {
      const { errorCode, reply } = await fixture.askReplica(replica, read);
      assert.equal(errorCode, 1);
      assert.equal(reply?.errorCode, 1);
    }
    await fixture.askReplica(shards[0]!, tombstone);
    assert.equal((await fixture.askReplica(others[0]!, read)).errorCode, 11);
    await fixture.network.close();
  });

  void test("passes a courier's reads and writes on to a shard", async () => {
    const fixture = await StorageFixture.start();
    const { shards, others } = placesIn(fixture);
    assert.equal((await fixture.askReplica(others[0]!, write)).errorCode, 0);
    await fixture.settle();
    for (const shard of shards) {
      assert.equal(fixture.network.replicas[shard]!.stored.boxes, 1);
    }
    assert.equal(textIn((await fixture.askReplica(others[1]!, read)).reply), "hello");
    assert.equal(fixture.network.replicas[others[0]!]!.stored.boxes, 0);
    const conflict = makeWriteMessage(sizes, writeCap, firstMessageIndex, new Uint8Array([1]));
    assert.equal((await fixture.askReplica(others[2]!, conflict)).errorCode, 10);
    await fixture.network.close();
  });

  void test("does not pass another replica's messages on to a third", async () => {
    const fixture = await StorageFixture.start();
    const { shards, others } = placesIn(fixture);
    await fixture.askReplica(shards[0]!, write);
    await fixture.settle();
    const from = "replica" as const;
    assert.equal((await fixture.askReplica(others[0]!, read, { from })).errorCode, 1);
    assert.equal((await fixture.askReplica(others[0]!, write, { from })).errorCode, 9);
    assert.equal(fixture.network.replicas[others[0]!]!.stored.boxes, 0);
    assert.equal((await fixture.askReplica(shards[1]!, read, { from })).errorCode, 0);
    await fixture.network.close();
  });

  void test("stores only what replicas send if no document lists it", async () => {
    const fixture = await StorageFixture.start();
    const { shards } = placesIn(fixture);
    const [gone, left] = shards as [number, number];
    const before = fixture.document;
    fixture.network.replicas[gone]!.faults.offline = true;
    await fixture.publish();
    fixture.network.replicas[gone]!.faults.offline = false;
    const shard = fixture.network.replicas[gone]!;
    const publicKey = before.storageReplicas
      .find(({ replicaId }) => replicaId === gone)!
      .envelopeKeys.get(fixture.replicaEpoch)!;
    const tell = async (from: "courier" | "replica"): Promise<void> => {
      const { command } = await createReplicaMessage({
        scheme: x25519Nike,
        sizes,
        message: write,
        publicKey,
      });
      await shard.receive(encodeReplicaCommand(command, sizes.wireCommandLength), from);
      await fixture.settle();
    };
    await tell("courier");
    assert.equal(shard.stored.boxes, 0);
    assert.equal(fixture.network.replicas[left]!.stored.boxes, 1);
    await tell("replica");
    assert.equal(shard.stored.boxes, 1);
    await fixture.network.close();
  });

  void test("answers with 9, sealed, if no shard is online", async () => {
    const fixture = await StorageFixture.start();
    const { shards, others } = placesIn(fixture);
    for (const shard of shards) fixture.network.replicas[shard]!.faults.offline = true;
    const asked = fixture.askReplica(others[0]!, read);
    const { errorCode, reply } = await fixture.virtual.runUntil(asked);
    assert.equal(errorCode, 9);
    assert.equal(reply?.errorCode, 9);
    await fixture.publish();
    assert.equal((await fixture.askReplica(others[0]!, write)).errorCode, 9);
    await fixture.network.close();
  });

  void test("gives up a silent shard after the proxy's wait, and asks the other", async () => {
    const fixture = await StorageFixture.start();
    const { shards, others } = placesIn(fixture);
    await fixture.askReplica(shards[0]!, write);
    await fixture.settle();
    // Whichever shard is asked first, some of these questions reach the silent one.
    fixture.network.replicas[shards[0]!]!.faults.loss = 1;
    let waited = 0;
    for (let i = 0; i < 12; i++) {
      const start = fixture.clock.monotonic();
      const asked = fixture.askReplica(others[0]!, read);
      assert.equal((await fixture.virtual.runUntil(asked)).errorCode, 0);
      const took = fixture.clock.monotonic() - start;
      assert.ok(took === 0 || took === instantTiming.proxyMs, `took ${took}`);
      if (took > 0) waited++;
    }
    assert.ok(waited > 0 && waited < 12, `${waited} of 12 met the silent shard`);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("returns any requested code, once or until further notice", async () => {
    const fixture = await StorageFixture.start();
    const { shards, others } = placesIn(fixture);
    const { faults } = fixture.network.replicas[others[0]!]!;
    let cases = 0;
    for (let code = 1; code <= 11; code++) {
      faults.failNext(code);
      const failed = await fixture.askReplica(others[0]!, read);
      assert.equal(failed.errorCode, code);
      assert.equal(failed.reply?.kind, "read");
      assert.equal(failed.reply?.errorCode, code);
      assert.deepEqual((failed.reply as ReplicaReadReply).boxId, read.boxId);
      assert.equal((await fixture.askReplica(others[0]!, read)).errorCode, 1, "only once");
      faults.fail(code);
      for (let i = 0; i < 2; i++) {
        const { errorCode, reply } = await fixture.askReplica(others[0]!, write);
        assert.equal(errorCode, code);
        assert.deepEqual(reply, { kind: "write", errorCode: code });
      }
      faults.fail(null);
      cases++;
    }
    assert.equal(cases, 11);
    assert.equal(fixture.network.replicas[shards[0]!]!.stored.boxes, 0);
    for (const code of [0, 12, 1.5, -1]) {
      assert.throws(() => faults.failNext(code), RangeError);
      assert.throws(() => faults.fail(code), RangeError);
    }
    for (const times of [NaN, -1, 0.5, Infinity, "2" as never]) {
      assert.throws(() => faults.failNext(1, times), /`times` must be an integer from 0 up, got/);
      assert.throws(() => faults.loseNext(times), /`count` must be an integer from 0 up, got/);
    }
    assert.equal(faults.takeCode(), null, "no fault was accepted");
    assert.equal(faults.takeLoss(), false);
    await fixture.network.close();
  });

  void test("applies standing faults also to boxes from other replicas, but not single faults", async () => {
    const fixture = await StorageFixture.start();
    const { faults } = fixture.network.replicas[0]!;
    const command = { ...write, kind: "replicaWrite" as const };
    faults.failNext(7);
    assert.deepEqual(await fixture.tell(0, command, "replica"), {
      kind: "replicaWriteReply",
      errorCode: 0,
    });
    faults.fail(4);
    assert.deepEqual(await fixture.tell(0, command, "replica"), {
      kind: "replicaWriteReply",
      errorCode: 4,
    });
    faults.clear();
    assert.deepEqual(await fixture.tell(0, command, "replica"), {
      kind: "replicaWriteReply",
      errorCode: 0,
    });
    await fixture.network.close();
  });

  void test("answers 8 without a body if it has no document", async () => {
    const fixture = await StorageFixture.startWithoutDocument();
    const publicKey = await fixture.network.publicKeys(0, [fixture.replicaEpoch]);
    const sealed = await createReplicaMessage({
      scheme: x25519Nike,
      sizes,
      message: read,
      publicKey: publicKey.get(fixture.replicaEpoch)!,
    });
    const answer = await fixture.tell(0, sealed.command);
    assert.ok(answer?.kind === "replicaMessageReply");
    assert.equal(answer.errorCode, 8);
    assert.equal(answer.envelopeReply.length, 0);
    assert.deepEqual(answer.envelopeHash, envelopeHashOf(sealed.command));
    await fixture.network.close();
  });

  void test("answers bad keys with 7, foreign envelopes with 8, junk with 5", async () => {
    const fixture = await StorageFixture.start();
    const publicKey = fixture.document.storageReplicas[0]!.envelopeKeys.get(fixture.replicaEpoch)!;
    const codeOf = async (
      plain: Uint8Array,
      key: Uint8Array,
      change: { senderPublicKey?: Uint8Array } = {},
    ) => {
      const sealed = await mkemEncapsulate(x25519Nike, [key], plain, fixture.random);
      const answer = await fixture.tell(0, {
        kind: "replicaMessage",
        senderPublicKey: sealed.ephemeralPublicKey,
        dek: sealed.deks[0]!,
        ciphertext: sealed.envelope,
        ...change,
      });
      assert.ok(answer?.kind === "replicaMessageReply");
      assert.equal(answer.envelopeReply.length, 0);
      return answer.errorCode;
    };
    const length = sizes.replicaInnerMessagePaddedLength;
    const stranger = x25519Nike.generate(fixture.random).publicKey;
    assert.equal(
      await codeOf(new Uint8Array(length), publicKey, { senderPublicKey: new Uint8Array(32) }),
      7,
    );
    assert.equal(await codeOf(new Uint8Array(length), stranger), 8);
    assert.equal(await codeOf(new Uint8Array(length), publicKey), 5);
    assert.equal(await codeOf(new Uint8Array(length).fill(255), publicKey), 5);
    assert.equal(await codeOf(padMessage(new Uint8Array(33).fill(9), length), publicKey), 5);
    assert.equal(await codeOf(new Uint8Array(3), publicKey), 5);
    assert.equal(await codeOf(padMessage(new Uint8Array(33), length).slice(0, 20), publicKey), 5);
    await fixture.network.close();
  });

  void test("answers decoys with decoys, and nonsense with nothing", async () => {
    const fixture = await StorageFixture.start();
    assert.deepEqual(await fixture.tell(0, { kind: "replicaDecoy" }), { kind: "replicaDecoy" });
    assert.deepEqual(await fixture.tell(0, { kind: "noOp" }), { kind: "noOp" });
    assert.equal(await fixture.tell(0, { kind: "disconnect" }), null);
    assert.equal(await fixture.tell(0, { kind: "replicaWriteReply", errorCode: 0 }), null);
    const [replica] = fixture.network.replicas;
    assert.equal(await replica!.receive(new Uint8Array(0), "courier"), null);
    assert.equal(await replica!.receive(new Uint8Array(100).fill(1), "replica"), null);
    await fixture.network.close();
    const decoy = encodeReplicaCommand({ kind: "replicaDecoy" }, sizes.wireCommandLength);
    assert.equal(await replica!.receive(decoy, "courier"), null, "closed");
  });

  void test("does not throw for any mutation of an envelope, and keeps its boxes unchanged", async () => {
    const fixture = await StorageFixture.start();
    const { shards } = placesIn(fixture);
    const publicKey = fixture.document.storageReplicas
      .find(({ replicaId }) => replicaId === shards[0])!
      .envelopeKeys.get(fixture.replicaEpoch)!;
    const sealed = await createReplicaMessage({
      scheme: x25519Nike,
      sizes,
      message: write,
      publicKey,
    });
    const bytes = encodeReplicaCommand(sealed.command, sizes.wireCommandLength);
    const meaningful = 6 + 32 + 60 + sealed.command.ciphertext.length;
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(meaningful - 1), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.option(fc.nat(bytes.length)),
        fc.constantFrom("courier", "replica"),
        async (flips, cut, from) => {
          runs++;
          const mutated = bytes.slice(0, cut ?? bytes.length);
          for (const [at, by] of flips) if (at < mutated.length) mutated[at]! ^= by;
          if (mutated.every((byte, i) => byte === bytes[i]) && mutated.length === bytes.length) {
            return;
          }
          const answer = await fixture.network.replicas[shards[0]!]!.receive(mutated, from);
          if (answer !== null) assert.equal(answer.length, sizes.wireCommandLength);
        },
      ),
      { numRuns: 300 },
    );
    assert.equal(runs, 300);
    assert.equal(fixture.network.replicas[shards[0]!]!.stored.boxes, 0);
    assert.equal((await fixture.askReplica(shards[0]!, write)).errorCode, 0);
    await fixture.network.close();
  });

  void test("does not throw for any mutation inside an envelope", async () => {
    const fixture = await StorageFixture.start();
    const publicKey = fixture.document.storageReplicas[0]!.envelopeKeys.get(fixture.replicaEpoch)!;
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: sizes.replicaInnerMessagePaddedLength }),
        fc.boolean(),
        async (junk, padded) => {
          runs++;
          const length = sizes.replicaInnerMessagePaddedLength;
          const plain =
            padded && junk.length <= length - 4
              ? padMessage(new Uint8Array([junk.length % 2, ...junk.slice(1)]), length)
              : junk;
          const { ephemeralPublicKey, deks, envelope } = await mkemEncapsulate(
            x25519Nike,
            [publicKey],
            plain,
          );
          const answer = await fixture.tell(0, {
            kind: "replicaMessage",
            senderPublicKey: ephemeralPublicKey,
            dek: deks[0]!,
            ciphertext: envelope,
          });
          assert.ok(answer?.kind === "replicaMessageReply");
          assert.notEqual(answer.errorCode, 0);
        },
      ),
      { numRuns: 100 },
    );
    assert.equal(runs, 100);
    assert.ok(fixture.network.replicas.every(({ stored }) => stored.boxes === 0));
    await fixture.network.close();
  });
});

void describe("envelope keys of a replica", () => {
  const weekStart = epochStart(
    epochAt(Date.UTC(2026, 0, 1), REPLICA_EPOCH_MS).epoch + 1,
    REPLICA_EPOCH_MS,
  );

  void test("exist for the requested epochs, and for the previous one while it is kept", async () => {
    const fixture = await StorageFixture.start({ clock: new VirtualClock(weekStart + 1000) });
    const [replica] = fixture.network.replicas;
    const epoch = fixture.replicaEpoch;
    const first = await replica!.envelopeKeys([epoch, epoch + 1]);
    assert.deepEqual([...first.keys()], [epoch, epoch + 1]);
    await fixture.virtual.advance(REPLICA_EPOCH_MS);
    await replica!.collectGarbage();
    const second = await replica!.envelopeKeys([epoch + 1, epoch + 2]);
    assert.deepEqual([...second.keys()], [epoch, epoch + 1, epoch + 2]);
    assert.deepEqual(second.get(epoch), first.get(epoch));
    assert.deepEqual(second.get(epoch + 1), first.get(epoch + 1));
    await fixture.virtual.advance(REPLICA_EPOCH_MS);
    await replica!.collectGarbage();
    const third = await replica!.envelopeKeys([epoch + 2, epoch + 3]);
    assert.deepEqual([...third.keys()], [epoch + 1, epoch + 2, epoch + 3], "erased");
    replica!.faults.offline = true;
    assert.equal((await replica!.envelopeKeys([epoch + 2])).size, 0);
    await fixture.network.close();
  });

  void test("differ between replicas and epochs, and survive a restart", async () => {
    const [one, two] = [await StorageFixture.start(), await StorageFixture.start()];
    const seen = new Set<string>();
    for (const [i, replica] of one.document.storageReplicas.entries()) {
      assert.deepEqual(replica.envelopeKeys, two.document.storageReplicas[i]!.envelopeKeys);
      for (const key of replica.envelopeKeys.values()) seen.add(String(key));
    }
    assert.equal(seen.size, 10);
    await one.network.close();
    await two.network.close();
  });

  void test("open messages of the previous, current and next epoch, and no others", async () => {
    const fixture = await StorageFixture.start({ clock: new VirtualClock(weekStart + 1000) });
    const { shards } = placesIn(fixture);
    const shard = fixture.document.storageReplicas.find((one) => one.replicaId === shards[0])!;
    const epoch = fixture.replicaEpoch;
    const all = await fixture.network.publicKeys(shards[0]!, [
      epoch - 2,
      epoch - 1,
      epoch,
      epoch + 1,
      epoch + 2,
    ]);
    (shard as { envelopeKeys: unknown }).envelopeKeys = all;
    const codes: number[] = [];
    for (let of = epoch - 2; of <= epoch + 2; of++) {
      const { errorCode, reply } = await fixture.askReplica(shards[0]!, read, { epoch: of });
      codes.push(errorCode);
      // The reply is sealed with the key that opened the message, so the sender can open it in any
      // epoch.
      assert.equal(reply?.errorCode ?? errorCode, errorCode);
      assert.equal(reply === null, errorCode === 8);
    }
    assert.deepEqual(codes, [8, 1, 1, 1, 8]);
    await fixture.network.close();
  });

  void test("open a passed-on message at its sender just after the end of the week", async () => {
    const fixture = await StorageFixture.start({ clock: new VirtualClock(weekStart - 1000) });
    const { others } = placesIn(fixture);
    const epoch = fixture.replicaEpoch;
    await fixture.virtual.advance(2000);
    assert.equal(fixture.replicaEpoch, epoch + 1);
    const { errorCode, reply } = await fixture.askReplica(others[0]!, write, { epoch });
    assert.equal(errorCode, 0);
    assert.deepEqual(reply, { kind: "write", errorCode: 0 });
    await fixture.network.close();
  });
});

void describe("replication", () => {
  void test("brings a box to a shard that was offline once it is back", async () => {
    const fixture = await StorageFixture.start();
    const [first, second] = placesIn(fixture).shards as [number, number];
    const away = fixture.network.replicas[second]!;
    away.faults.offline = true;
    await fixture.askReplica(first, write);
    await fixture.settle();
    assert.equal(fixture.network.replicas[first]!.unreplicated, 1);
    await fixture.virtual.advance(10_000);
    assert.equal(away.stored.boxes, 0);
    away.faults.offline = false;
    await fixture.virtual.advance(instantTiming.replicationRetryMs.longest);
    assert.equal(away.stored.boxes, 1);
    assert.equal(fixture.network.replicas[first]!.unreplicated, 0);
    await fixture.network.close();
    assert.equal(fixture.virtual.pending, 0);
  });

  void test("queues a box once, and a tombstone in place of its data", async () => {
    const fixture = await StorageFixture.start();
    const [first, second] = placesIn(fixture).shards as [number, number];
    fixture.network.replicas[second]!.faults.offline = true;
    await fixture.askReplica(first, write);
    await fixture.askReplica(first, write);
    await fixture.askReplica(first, tombstone);
    await fixture.settle();
    assert.equal(fixture.network.replicas[first]!.unreplicated, 1);
    fixture.network.replicas[second]!.faults.offline = false;
    await fixture.virtual.advance(instantTiming.replicationRetryMs.first);
    const { errorCode } = await fixture.askReplica(second, read);
    assert.equal(errorCode, 11);
    await fixture.network.close();
  });

  void test("tries again after codes 4 and 7, but not after other refusals", async () => {
    for (const [code, expected] of [
      [4, 1],
      [7, 1],
      [6, 0],
      [10, 0],
    ] as const) {
      const fixture = await StorageFixture.start();
      const [first, second] = placesIn(fixture).shards as [number, number];
      fixture.network.replicas[second]!.faults.fail(code);
      await fixture.askReplica(first, write);
      await fixture.settle();
      assert.equal(fixture.network.replicas[first]!.unreplicated, expected, `code ${code}`);
      await fixture.network.close();
    }
  });

  void test("forgets what it queued after three epochs of documents", async () => {
    const fixture = await StorageFixture.start();
    const [first, second] = placesIn(fixture).shards as [number, number];
    fixture.network.replicas[second]!.faults.offline = true;
    await fixture.askReplica(first, write);
    await fixture.settle();
    for (let i = 0; i < 3; i++) await fixture.publish();
    await fixture.virtual.advance(60_000);
    assert.equal(fixture.network.replicas[first]!.unreplicated, 1);
    await fixture.publish();
    await fixture.virtual.advance(60_000);
    assert.equal(fixture.network.replicas[first]!.unreplicated, 0);
    await fixture.network.close();
  });

  void test("repairs what one shard missed when somebody reads it from the other", async () => {
    const fixture = await StorageFixture.start();
    const { shards, others } = placesIn(fixture);
    const [first, second] = shards as [number, number];
    // A box that is never replicated: boxes that arrive by a wire write are not passed on.
    await fixture.tell(first, { ...write, kind: "replicaWrite" }, "replica");
    for (let i = 0; i < 12; i++) {
      assert.equal((await fixture.askReplica(others[0]!, read)).errorCode, 0);
    }
    await fixture.settle();
    assert.equal(fixture.network.replicas[second]!.stored.boxes, 1);
    await fixture.network.close();
  });

  void test("sends a replica that returns what was written while it was away", async () => {
    const fixture = await StorageFixture.start();
    const [first, second] = placesIn(fixture).shards as [number, number];
    const away = fixture.network.replicas[second]!;
    away.faults.offline = true;
    await fixture.publish();
    assert.deepEqual(fixture.shardsOf(read.boxId), [first]);
    await fixture.askReplica(first, write);
    await fixture.settle();
    assert.equal(fixture.network.replicas[first]!.unreplicated, 0);
    away.faults.offline = false;
    await fixture.publish();
    await fixture.settle();
    assert.equal(away.stored.boxes, 1);
    await fixture.network.close();
  });

  void test("sends deletions to a shard that was away when they were made", async () => {
    const fixture = await StorageFixture.start();
    const [first, second] = placesIn(fixture).shards as [number, number];
    await fixture.askReplica(first, write);
    await fixture.settle();
    const away = fixture.network.replicas[second]!;
    away.faults.offline = true;
    await fixture.publish();
    await fixture.askReplica(first, tombstone);
    away.faults.offline = false;
    await fixture.publish();
    await fixture.settle();
    assert.equal((await fixture.askReplica(second, read)).errorCode, 11);
    await fixture.network.close();
  });

  void test("leaves expired boxes to the garbage collection of each replica", async () => {
    const fixture = await StorageFixture.start();
    const { shards } = placesIn(fixture);
    await fixture.askReplica(shards[0]!, write);
    await fixture.virtual.advance(3 * REPLICA_EPOCH_MS);
    assert.ok(fixture.network.replicas.every(({ stored }) => stored.boxes === 0));
    await fixture.network.close();
  });

  void test("reports code 6 when a replica is full", async () => {
    const fixture = await StorageFixture.start();
    for (const { faults } of fixture.network.replicas) faults.storageLimitBytes = 400;
    const codes: number[] = [];
    let index = firstMessageIndex;
    for (let i = 0; i < 12; i++) {
      codes.push(await fixture.write(writeCap, index, hello));
      index = nextMessageBoxIndex(index);
    }
    assert.deepEqual(
      [...new Set(codes)].sort((a, b) => a - b),
      [0, 6],
    );
    assert.equal(codes.at(-1), 6);
    await fixture.network.close();
  });
});
