import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualClock } from "../../../src/clock/virtual.js";
import {
  type CourierEnvelope,
  envelopeHashOf,
} from "../../../src/crypto/envelope/courier-messages.js";
import { encodeReplicaCommand } from "../../../src/crypto/envelope/wire-commands.js";
import { x25519Nike } from "../../../src/crypto/nike/x25519.js";
import { instantTiming } from "../../../src/mixnet/timing.js";
import { CopyReplicas } from "../../../src/network/courier/copy-replicas.js";
import { CopyFailure } from "../../../src/network/courier/copy-run.js";
import { StorageLink } from "../../../src/network/storage-link.js";
import { instantPace } from "../../../src/network/storage-pace.js";
import { sizes } from "../storage-fixture.js";

const envelope: CourierEnvelope = {
  intermediateReplicas: [0, 1],
  deks: [new Uint8Array(60), new Uint8Array(60)],
  replyIndex: 0,
  epoch: 1n,
  senderPublicKey: new Uint8Array(32),
  ciphertext: new Uint8Array(sizes.courierEnvelopeCiphertextLength),
};

/** Two replicas that answer each envelope with the next code of their list; null is no answer. */
function scripted(codes: readonly [readonly (number | null)[], readonly (number | null)[]]) {
  const clock = new VirtualClock();
  const rounds = [0, 0];
  const links = codes.map((list, replicaId) => {
    const receive = () => {
      const errorCode = list[rounds[replicaId]!++] ?? null;
      if (errorCode === null) return Promise.resolve(null);
      const envelopeHash = envelopeHashOf(envelope);
      const reply = { errorCode, envelopeHash, replicaId, envelopeReply: new Uint8Array(0) };
      return Promise.resolve(
        encodeReplicaCommand({ kind: "replicaMessageReply", ...reply }, sizes.wireCommandLength),
      );
    };
    const faults = { offline: false, slowMs: 0, takeLoss: () => false };
    const target = { faults, receive };
    return new StorageLink({ clock, pace: instantPace, sizes, from: "courier", target });
  });
  const replicas = new CopyReplicas({
    clock,
    sizes,
    random: (length) => new Uint8Array(length),
    timing: instantTiming,
    scheme: x25519Nike,
    replicaEpoch: () => 1,
    document: () => null,
    linkTo: (replicaId) => links[replicaId],
  });
  return { clock, rounds, replicas };
}

const never = new AbortController().signal;

void describe("writing an envelope of a copy", () => {
  void test("succeeds with one success; else a conflict counts, else the first code", async () => {
    const table: [number | null, number | null, number][] = [
      [0, 0, 0],
      [0, 10, 0],
      [10, 0, 0],
      [0, null, 0],
      [null, 0, 0],
      [6, 10, 10],
      [10, 6, 10],
      [10, 10, 10],
      [4, 7, 4],
      [9, 6, 9],
      [9, null, 9],
      [null, 10, 10],
    ];
    let cases = 0;
    for (const [first, second, expected] of table) {
      const { clock, replicas, rounds } = scripted([[first], [second]]);
      const written = clock.runUntil(replicas.writeEnvelope(envelope, never));
      if (expected === 0) await written;
      else {
        await assert.rejects(written, (error) => {
          assert.ok(error instanceof CopyFailure);
          assert.equal(error.errorCode, expected, `${first} and ${second}`);
          return true;
        });
      }
      assert.deepEqual(rounds, [1, 1], "a verdict is not requested twice");
      cases++;
    }
    assert.equal(cases, 12);
  });

  void test("is tried again with growing pauses while both are silent, up to a limit", async () => {
    const { clock, replicas, rounds } = scripted([[], [null, null, 0]]);
    await clock.runUntil(replicas.writeEnvelope(envelope, never));
    assert.deepEqual(rounds, [3, 3]);
    const { first } = instantTiming.copyBackoffMs;
    assert.equal(clock.monotonic(), 2 * instantTiming.copyStepMs + first + 2 * first);

    const silent = scripted([[], []]);
    const written = silent.clock.runUntil(silent.replicas.writeEnvelope(envelope, never));
    await assert.rejects(written, (error: CopyFailure) => error.errorCode === 0);
    assert.deepEqual(silent.rounds, [instantTiming.copyTries, instantTiming.copyTries]);
  });

  void test("fails at once for an envelope of other lengths", async () => {
    const { replicas, rounds } = scripted([[0], [0]]);
    for (const change of [
      { senderPublicKey: new Uint8Array(31) },
      { ciphertext: new Uint8Array(5000) },
    ]) {
      await assert.rejects(replicas.writeEnvelope({ ...envelope, ...change }, never), CopyFailure);
    }
    assert.deepEqual(rounds, [0, 0]);
  });

  void test("stops at an end in between, and leaves no timer", async () => {
    const { clock, replicas } = scripted([[], []]);
    const stop = new AbortController();
    const written = replicas.writeEnvelope(envelope, stop.signal);
    await clock.advance(instantTiming.copyStepMs);
    stop.abort(new Error("closed"));
    await assert.rejects(written, /closed/);
    assert.equal(clock.pending, 0);
  });
});
