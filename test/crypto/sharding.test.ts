import assert from "node:assert/strict";
import { test } from "node:test";
import { type RandomSource, randomBytes } from "../../src/bytes/bytes.js";
import { chooseIntermediates, onlineShards, uniformBelow } from "../../src/crypto/sharding.js";

/** Returns these 64-bit values, one per call. */
function values(...list: bigint[]): RandomSource {
  return (length) => {
    assert.equal(length, 8);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, list.shift()!);
    return bytes;
  };
}

test("a value in the incomplete last range is discarded", () => {
  assert.equal(uniformBelow(3, values(2n ** 64n - 1n, 5n)), 2);
  assert.equal(uniformBelow(3, values(2n ** 64n - 2n)), 2);
  assert.equal(uniformBelow(4, values(2n ** 64n - 1n)), 3);
  assert.equal(uniformBelow(1, values(9n)), 0);
  for (const bound of [0, -1, 1.5, NaN]) assert.throws(() => uniformBelow(bound), RangeError);
});

test("every value below the bound occurs about equally often", () => {
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < 5000; i++) counts[uniformBelow(5)]!++;
  for (const count of counts) assert.ok(count > 850 && count < 1150, String(counts));
});

const replicas = Array.from({ length: 6 }, (_, i) => ({
  identityKey: new Uint8Array(32).fill(i + 1),
  replicaId: i,
}));

function network(online: readonly number[]) {
  return {
    configuredReplicaIdentityKeys: replicas.map((replica) => replica.identityKey),
    storageReplicas: online.map((i) => replicas[i]!),
  };
}

test("shards stay the same when others come and go, and keep their order", () => {
  for (let i = 0; i < 20; i++) {
    const boxId = randomBytes(32);
    const all = onlineShards(network([0, 1, 2, 3, 4, 5]), boxId).map((r) => r.replicaId);
    assert.equal(all.length, 2);
    const reversed = onlineShards(network([5, 4, 3, 2, 1, 0]), boxId).map((r) => r.replicaId);
    assert.deepEqual(reversed, all);
    const alone = onlineShards(network([all[1]!]), boxId).map((r) => r.replicaId);
    assert.deepEqual(alone, [all[1]]);
  }
});

test("an envelope cannot be sent with one replica online, even if that is a shard", () => {
  const boxId = new Uint8Array(32);
  const [shard] = onlineShards(network([0, 1, 2, 3, 4, 5]), boxId);
  assert.throws(() => chooseIntermediates(network([shard!.replicaId]), boxId), {
    code: "ERR_SERVICE_NOT_FOUND",
    message: /need at least 2 replicas/,
  });
});
