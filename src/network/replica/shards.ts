/** Which replicas must hold a box, seen from one replica (spec/pigeonhole §6 and §9.2). */
import { equalBytes } from "../../bytes/bytes.js";
import { shardKeys } from "../../crypto/sharding.js";
import type { PkiDocument } from "../../pki/document.js";
import type { ReplicaDescriptor } from "../../pki/mix-descriptor.js";

/** What the parts of the network here need from a document. */
export type StorageDocument = Pick<
  PkiDocument,
  "epoch" | "lambdaR" | "storageReplicas" | "configuredReplicaIdentityKeys"
>;

/** A box's place among the replicas. */
export interface BoxPlace {
  /** Whether the asking replica is one of the box's shards, online or not. */
  readonly isOwn: boolean;
  /** Whether it is a shard and the document lists it as online. */
  readonly isOnlineOwn: boolean;
  /** The other online shards, first shard first. */
  readonly others: readonly ReplicaDescriptor[];
}

/** The online replicas of a document that hold a box, first shard first; may be empty. */
export function onlineHolders(document: StorageDocument, boxId: Uint8Array): ReplicaDescriptor[] {
  const holders: ReplicaDescriptor[] = [];
  for (const key of shardKeys(document.configuredReplicaIdentityKeys, boxId)) {
    const online = document.storageReplicas.find((replica) => equalBytes(replica.identityKey, key));
    if (online !== undefined) holders.push(online);
  }
  return holders;
}

/** Where a box belongs, seen from the replica with that identity key. */
export function placeOf(
  document: StorageDocument,
  boxId: Uint8Array,
  ownKey: Uint8Array,
): BoxPlace {
  const keys = shardKeys(document.configuredReplicaIdentityKeys, boxId);
  const online = (key: Uint8Array) =>
    document.storageReplicas.find((replica) => equalBytes(replica.identityKey, key));
  const isOwn = keys.some((key) => equalBytes(key, ownKey));
  return {
    isOwn,
    isOnlineOwn: isOwn && online(ownKey) !== undefined,
    others: keys
      .filter((key) => !equalBytes(key, ownKey))
      .map(online)
      .filter((replica) => replica !== undefined),
  };
}
