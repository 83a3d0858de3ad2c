/** Passes a client's message on to the shards of its box (spec/pigeonhole §9.2). */
import type { RandomSource } from "../../bytes/bytes.js";
import type {
  ReplicaInnerMessage,
  ReplicaReplyMessage,
  SignedBox,
} from "../../crypto/envelope/replica-messages.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../../crypto/nike/scheme.js";
import { uniformBelow } from "../../crypto/sharding.js";
import {
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
  REPLICA_ERROR_REPLICATION_FAILED,
  REPLICA_ERROR_TOMBSTONE,
  REPLICA_SUCCESS,
} from "../../errors/codes.js";
import type { Timing } from "../../mixnet/timing.js";
import type { ReplicaDescriptor } from "../../pki/mix-descriptor.js";
import { askReplica, refusalOf } from "../ask-replica.js";
import { ConcurrencyGate } from "../concurrency-gate.js";
import { reuseKeys } from "../kept-secrets.js";
import type { StorageLink } from "../storage-link.js";
import { temporaryForEnvelopes } from "../temporary-codes.js";

/** How many messages a replica passes on at a time. */
const mostAtOnce = 32;
/** How many more may wait; others are refused at once. */
const mostWaiting = 256;

/** What a proxy needs. */
export interface ProxyOptions {
  /** The current replica epoch. */
  readonly replicaEpoch: () => number;
  readonly random: RandomSource;
  readonly timing: Pick<Timing, "proxyMs">;
  readonly scheme: NikeScheme;
  readonly sizes: PigeonholeSizes;
  /** The connection to another replica; undefined if there is none. */
  readonly linkTo: (replicaId: number) => StorageLink | undefined;
  /** Called with a box that was found at one shard and missed at another. */
  readonly onMissedAt: (box: SignedBox, shard: ReplicaDescriptor) => void;
}

/** Passes messages on. */
export class Proxy {
  readonly #options: ProxyOptions;
  readonly #scheme: NikeScheme;
  readonly #gate = new ConcurrencyGate(mostAtOnce);

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#scheme = reuseKeys(options.scheme);
  }

  /**
   * Asks the shards of a box one after the other, in random order, until one gives a final answer.
   * If one shard misses a read, the other is asked, and a box found there is repaired at the first.
   * Never rejects.
   * @returns the answer. Of several unsuccessful answers a miss is preferred, otherwise the last
   * one is used; code 9 if there was none.
   */
  async pass(
    message: ReplicaInnerMessage,
    shards: readonly ReplicaDescriptor[],
  ): Promise<ReplicaReplyMessage> {
    if (this.#gate.waiting >= mostWaiting) {
      return refusalOf(message, REPLICA_ERROR_REPLICATION_FAILED);
    }
    return this.#gate.run(() => this.#passNow(message, shards));
  }

  async #passNow(
    message: ReplicaInnerMessage,
    shards: readonly ReplicaDescriptor[],
  ): Promise<ReplicaReplyMessage> {
    let verdict: ReplicaReplyMessage | null = null;
    const missedAt: ReplicaDescriptor[] = [];
    for (const shard of this.#shuffled(shards)) {
      const reply = await this.#ask(shard, message);
      if (reply === null) continue;
      const missed = message.kind === "read" && reply.errorCode === REPLICA_ERROR_BOX_ID_NOT_FOUND;
      if (!missed && !temporaryForEnvelopes.has(reply.errorCode)) {
        this.#repair(reply, missedAt);
        return reply;
      }
      if (missed) missedAt.push(shard);
      if (missed || verdict?.errorCode !== REPLICA_ERROR_BOX_ID_NOT_FOUND) verdict = reply;
    }
    return verdict ?? refusalOf(message, REPLICA_ERROR_REPLICATION_FAILED);
  }

  #shuffled(shards: readonly ReplicaDescriptor[]): readonly ReplicaDescriptor[] {
    if (shards.length < 2 || uniformBelow(2, this.#options.random) === 0) return shards;
    return [...shards].reverse();
  }

  async #ask(
    shard: ReplicaDescriptor,
    message: ReplicaInnerMessage,
  ): Promise<ReplicaReplyMessage | null> {
    const { replicaEpoch, random, timing, sizes, linkTo } = this.#options;
    const link = linkTo(shard.replicaId);
    const publicKey = shard.envelopeKeys.get(replicaEpoch());
    if (link === undefined || publicKey === undefined) return null;
    const timeoutMs = timing.proxyMs;
    const scheme = this.#scheme;
    try {
      return await askReplica({ scheme, sizes, random, link, publicKey, message, timeoutMs });
    } catch {
      return null;
    }
  }

  #repair(reply: ReplicaReplyMessage, missedAt: readonly ReplicaDescriptor[]): void {
    if (reply.kind !== "read") return;
    const { errorCode, boxId, signature, payload } = reply;
    if (errorCode !== REPLICA_SUCCESS && errorCode !== REPLICA_ERROR_TOMBSTONE) return;
    for (const shard of missedAt) this.#options.onMissedAt({ boxId, signature, payload }, shard);
  }
}
