import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, concatBytes } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { hash256 } from "../../src/bytes/hash.js";
import { replicaEpoch } from "../../src/pki/epoch.js";
import { shake256Random } from "../../src/bacap/seeded-random.js";
import { chooseIntermediates, onlineShards, shardKeys } from "../../src/crypto/sharding.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("sharding");
const keySets: Uint8Array[][] = [];
for (const set of vectors.key_sets) keySets[set.set] = set.keys.map((key: string) => hex(key));

const configuredKeys = new Map<number, Uint8Array[]>();
for (const set of vectors.configured_sets) {
  configuredKeys.set(
    set.configured,
    set.identity_keys.map((key: string) => hex(key)),
  );
}

function syntheticDocument(configured: number, online: number) {
  const keys = configuredKeys.get(configured)!;
  return {
    configuredReplicaIdentityKeys: keys,
    storageReplicas: keys
      .slice(0, online)
      .map((identityKey, i) => ({ identityKey, replicaId: 10 + i })),
  };
}

test("shards match the reference", () => {
  let hashes = 0;
  for (const v of vectors.shard) {
    const keys = keySets[v.set]!;
    const boxId = hex(v.box_id);
    const shards = shardKeys(keys, boxId);
    assert.deepEqual(
      shards.map((key) => keys.indexOf(key)),
      v.shards,
    );
    if (v.hashes === undefined) continue;
    hashes++;
    assert.deepEqual(
      keys.map((key) => toHex(hash256(concatBytes(key, boxId)))),
      v.hashes,
    );
  }
  assert.equal(vectors.shard.length, 80);
  assert.equal(hashes, 20);
});

test("a single key has one shard", () => {
  const [v] = vectors.fewer_than_two;
  const shards = shardKeys(
    v.keys.map((key: string) => hex(key)),
    hex(v.box_id),
  );
  assert.deepEqual(shards.map(toHex), [v.first]);
  assert.equal(v.second_is_nil, true);
});

test("online shards match the reference", () => {
  for (const v of vectors.get_shards) {
    const run = () => onlineShards(syntheticDocument(v.configured, v.online), hex(v.box_id));
    if (v.error === "") {
      assert.deepEqual(
        run().map((replica) => replica.replicaId),
        v.online_shard_replica_ids,
      );
    } else {
      assert.throws(run, (error) => {
        return hasCode(error, "ERR_SERVICE_NOT_FOUND") && error.message === v.error;
      });
    }
  }
  assert.equal(vectors.get_shards.length, 30);
});

test("the possible pairs of intermediates are exactly the reference's", () => {
  const random = shake256Random(hex("01"));
  for (const v of vectors.intermediates) {
    const document = syntheticDocument(v.configured, v.online);
    const run = () => chooseIntermediates(document, hex(v.box_id), random);
    if (v.error !== "") {
      assert.throws(run, { message: v.error });
      assert.deepEqual(v.pairs_seen_in_400_draws, []);
      continue;
    }
    const seen = new Map<string, number[]>();
    for (let draw = 0; draw < 200; draw++) {
      const pair = run().map((replica) => replica.replicaId);
      seen.set(pair.join(), pair);
    }
    const pairs = [...seen.values()].sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
    assert.deepEqual(pairs, v.pairs_seen_in_400_draws);
  }
  assert.equal(vectors.intermediates.length, 30);
});

test("replica epochs of PKI epochs match the reference", () => {
  for (const v of vectors.replica_epochs) {
    const epoch = replicaEpoch(Number(v.normal_epoch), v.period_seconds * 1000);
    assert.equal(epoch, Number(v.replica_epoch));
  }
  assert.equal(vectors.replica_epochs.length, 22);
});
