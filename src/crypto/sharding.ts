/**
 * Which replicas hold a box, and which two a client sends an envelope to.
 * spec/pigeonhole §6.
 */
import { type RandomSource, compareBytes, equalBytes, randomBytes, toHex } from "../bytes/bytes.js";
import { ServiceNotFoundError } from "../errors/errors.js";
import { hash256 } from "../bytes/hash.js";
import { RecentlyUsed } from "../bytes/recently-used.js";

/** How many replicas hold a box. */
const SHARD_COUNT = 2;

/** The part of a replica's descriptor that sharding needs. */
export interface ShardReplica {
  /** Identity public key as published, of any length. */
  readonly identityKey: Uint8Array;
}

/** The part of a PKI document that sharding needs. */
export interface ShardDocument<R extends ShardReplica> {
  /** Identity keys of all replicas of the network, online or not: a stable set. */
  readonly configuredReplicaIdentityKeys: readonly Uint8Array[];
  /** The replicas that are online, in document order. */
  readonly storageReplicas: readonly R[];
}

/** For how many boxes the shards are remembered. */
const keptBoxes = 1024;
/**
 * Shards by box ID, for each document's list of keys, because daemon, intermediate replicas, shards
 * and couriers of an embedded network ask for the same box one after the other.
 */
const known = new WeakMap<readonly Uint8Array[], RecentlyUsed<string, readonly Uint8Array[]>>();

/**
 * The identity keys of the (at most) two shards of a box, first shard first: those with the
 * smallest BLAKE2b-256(identity key ‖ box ID).
 * @param identityKeys all configured replicas' keys, online or not; do not change the array
 * afterwards.
 */
export function shardKeys(
  identityKeys: readonly Uint8Array[],
  boxId: Uint8Array,
): readonly Uint8Array[] {
  let kept = known.get(identityKeys);
  if (kept === undefined) {
    kept = new RecentlyUsed(keptBoxes);
    known.set(identityKeys, kept);
  }
  const name = toHex(boxId);
  let shards = kept.get(name);
  if (shards === undefined) {
    shards = identityKeys
      .map((key) => ({ key, rank: hash256(key, boxId) }))
      .sort((a, b) => compareBytes(a.rank, b.rank))
      .slice(0, SHARD_COUNT)
      .map(({ key }) => key);
    kept.set(name, shards);
  }
  return shards;
}

/**
 * The online shards of a box, first shard first.
 * @throws ServiceNotFoundError when fewer than two replicas are configured, or no shard is online.
 */
export function onlineShards<R extends ShardReplica>(
  document: ShardDocument<R>,
  boxId: Uint8Array,
): R[] {
  if (document.configuredReplicaIdentityKeys.length < SHARD_COUNT) {
    throw new ServiceNotFoundError("GetConfiguredReplicaKeys: insufficient configured replicas");
  }
  const shards = shardKeys(document.configuredReplicaIdentityKeys, boxId)
    .map((key) => document.storageReplicas.find((one) => equalBytes(one.identityKey, key)))
    .filter((replica) => replica !== undefined);
  if (shards.length === 0) {
    throw new ServiceNotFoundError("GetShards: no shard replicas are currently online");
  }
  return shards;
}

/**
 * A uniformly random number from 0 to `bound` − 1: takes 64-bit big-endian values until one is
 * below the largest multiple of `bound`.
 */
export function uniformBelow(bound: number, random: RandomSource = randomBytes): number {
  if (!Number.isSafeInteger(bound) || bound < 1) {
    throw new RangeError(`\`bound\` must be a positive whole number, got ${bound}`);
  }
  const range = 1n << 64n;
  const limit = range - (range % BigInt(bound));
  for (;;) {
    const value = new DataView(random(8).buffer).getBigUint64(0);
    if (value < limit) return Number(value % BigInt(bound));
  }
}

function takeOne<R>(pool: R[], random: RandomSource): R {
  return pool.splice(uniformBelow(pool.length, random), 1)[0]!;
}

/**
 * The two replicas that get an envelope about a box, in order. With four or more online they are
 * not shards of the box, so that a replica that stores a box does not learn which courier asked.
 * @throws ServiceNotFoundError as {@link onlineShards}, and when fewer than two replicas are
 * online.
 */
export function chooseIntermediates<R extends ShardReplica>(
  document: ShardDocument<R>,
  boxId: Uint8Array,
  random: RandomSource = randomBytes,
): [R, R] {
  const shards = onlineShards(document, boxId);
  const online = document.storageReplicas;
  if (online.length < 2) {
    throw new ServiceNotFoundError("insufficient storage replicas: need at least 2 replicas");
  }
  if (online.length === 2) return [online[0]!, online[1]!];
  if (online.length === 3) {
    const others = online.filter((replica) => replica !== shards[0]);
    return [shards[0]!, takeOne(others, random)];
  }
  const pool = online.filter((replica) => !shards.includes(replica));
  return [takeOne(pool, random), takeOne(pool, random)];
}
