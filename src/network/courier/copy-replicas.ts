/** The replica requests of a copy, with retries (spec/pigeonhole §9.1). */
import type { Bytes, RandomSource } from "../../bytes/bytes.js";
import type { MessageBoxIndex, WriteCap } from "../../bytes/opaque.js";
import type { Clock } from "../../clock/clock.js";
import { boxIdFor, decryptBox, signTombstone, verifyBox } from "../../bacap/box.js";
import { replicaMessageOf } from "../../crypto/envelope/client-envelope.js";
import type { CourierEnvelope } from "../../crypto/envelope/courier-messages.js";
import { unpadMessage } from "../../crypto/envelope/padding.js";
import type {
  ReplicaInnerMessage,
  ReplicaReadReply,
  ReplicaReplyMessage,
} from "../../crypto/envelope/replica-messages.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../../crypto/nike/scheme.js";
import { REPLICA_ERROR_BOX_ALREADY_EXISTS, REPLICA_SUCCESS } from "../../errors/codes.js";
import { type Timing, pauseBefore } from "../../mixnet/timing.js";
import type { ReplicaDescriptor } from "../../pki/mix-descriptor.js";
import { askReplica } from "../ask-replica.js";
import { reuseKeys } from "../kept-secrets.js";
import { type StorageDocument, onlineHolders } from "../replica/shards.js";
import type { StorageLink } from "../storage-link.js";
import { isWellSized } from "./cached-envelope.js";
import { CopyFailure } from "./copy-run.js";
import { temporaryForCopies } from "../temporary-codes.js";

/** What copies need. */
export interface CopyReplicasOptions {
  /** The clock for pauses between attempts. */
  readonly clock: Clock;
  /** Source of ephemeral keys and nonces. */
  readonly random: RandomSource;
  readonly timing: Pick<Timing, "copyStepMs" | "copyBackoffMs" | "copyTries">;
  /** The NIKE scheme of the replicas' envelopes. */
  readonly scheme: NikeScheme;
  /** Lengths of the network's messages. */
  readonly sizes: PigeonholeSizes;
  /** The current replica epoch. */
  readonly replicaEpoch: () => number;
  /** The current document; null if there is none. */
  readonly document: () => StorageDocument | null;
  readonly linkTo: (replicaId: number) => StorageLink | undefined;
}

/** The shards' answer, or the reason why there is none. */
type ShardAnswer =
  | { readonly reply: ReplicaReplyMessage }
  | { readonly reply: null; readonly errorCode: number };

/** Reads and deletes boxes at their shards, and sends envelopes to their intermediate replicas. */
export class CopyReplicas {
  readonly #options: CopyReplicasOptions;
  readonly #scheme: NikeScheme;

  constructor(options: CopyReplicasOptions) {
    this.#options = options;
    this.#scheme = reuseKeys(options.scheme);
  }

  /**
   * The application's content of the box at `index`.
   * @throws (rejects) CopyFailure when no shard has the box after all attempts, or when it holds
   * something else; the signal's reason.
   */
  async readBox(cap: WriteCap, index: MessageBoxIndex, signal: AbortSignal): Promise<Bytes> {
    const boxId = boxIdFor(cap, index);
    const verdict = await this.#askShards({ kind: "read", boxId }, signal);
    if (verdict.reply === null || verdict.reply.kind !== "read") {
      throw new CopyFailure("no shard has the box", verdict.reply === null ? verdict.errorCode : 0);
    }
    return this.#open(index, boxId, verdict.reply);
  }

  #open(index: MessageBoxIndex, boxId: Uint8Array, reply: ReplicaReadReply): Bytes {
    const { payload, signature } = reply;
    // Verified with the requested ID, because the ID in the answer proves nothing.
    if (!verifyBox({ boxId, ciphertext: payload, signature })) {
      throw new CopyFailure("the box is not signed by its writer");
    }
    return unpadMessage(decryptBox(index, boxId, payload));
  }

  /**
   * Deletes the box at `index` for good: it writes a signed empty payload, which replaces any
   * content. Resolves to whether a shard did it. @throws (rejects) the signal's reason.
   */
  async deleteBox(cap: WriteCap, index: MessageBoxIndex, signal: AbortSignal): Promise<boolean> {
    const { boxId, signature, ciphertext } = signTombstone(cap, index);
    const message = { kind: "write", boxId, signature, payload: ciphertext } as const;
    return (await this.#askShards(message, signal)).reply !== null;
  }

  /**
   * Asks the online shards in turn, and after a pause all of them again, until one succeeds. A
   * shard that answers with a permanent error is not asked again.
   */
  async #askShards(message: ReplicaInnerMessage, signal: AbortSignal): Promise<ShardAnswer> {
    const { timing } = this.#options;
    const refused = new Set<number>();
    let errorCode = 0;
    for (let round = 0; round < timing.copyTries; round++) {
      await this.#pause(round, signal);
      const document = this.#options.document();
      if (document === null) continue;
      const shards = onlineHolders(document, message.boxId);
      for (const shard of shards) {
        if (refused.has(shard.replicaId)) continue;
        const reply = await this.#ask(shard, message);
        if (reply === null) continue;
        if (reply.errorCode === REPLICA_SUCCESS) return { reply };
        errorCode = reply.errorCode;
        if (!temporaryForCopies.has(errorCode)) refused.add(shard.replicaId);
      }
      if (shards.length > 0 && shards.every(({ replicaId }) => refused.has(replicaId))) break;
    }
    return { reply: null, errorCode };
  }

  async #ask(
    shard: ReplicaDescriptor,
    message: ReplicaInnerMessage,
  ): Promise<ReplicaReplyMessage | null> {
    const { random, sizes, replicaEpoch, timing, linkTo } = this.#options;
    const link = linkTo(shard.replicaId);
    const publicKey = shard.envelopeKeys.get(replicaEpoch());
    if (link === undefined || publicKey === undefined) return null;
    const timeoutMs = timing.copyStepMs;
    const scheme = this.#scheme;
    try {
      return await askReplica({ scheme, sizes, random, link, publicKey, message, timeoutMs });
    } catch {
      return null;
    }
  }

  /** The pause before a round; none before the first. */
  async #pause(round: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (round === 0) return;
    const { clock, timing } = this.#options;
    await clock.sleep(pauseBefore(timing.copyBackoffMs, round - 1), signal);
  }

  /**
   * Writes an envelope; done when one of its two intermediate replicas confirms it. If both are
   * silent, it is sent again.
   * @throws (rejects) CopyFailure with a replica's code (preferably 10), or with 0 when no replica
   * answered in all attempts; the signal's reason.
   */
  async writeEnvelope(envelope: CourierEnvelope, signal: AbortSignal): Promise<void> {
    const { sizes, timing } = this.#options;
    if (!isWellSized(sizes, envelope))
      throw new CopyFailure("the envelope's parts do not have this network's lengths");
    for (let round = 0; round < timing.copyTries; round++) {
      await this.#pause(round, signal);
      const errorCode = await this.#sendToBoth(envelope);
      if (errorCode === REPLICA_SUCCESS) return;
      if (errorCode !== null) throw new CopyFailure("a replica refused the envelope", errorCode);
    }
    throw new CopyFailure("no replica answers");
  }

  /**
   * Resolves to 0 at the first success. Otherwise it resolves when both replicas are done: to an
   * error code, or to null without any.
   */
  #sendToBoth(envelope: CourierEnvelope): Promise<number | null> {
    return new Promise((resolve) => {
      const codes: number[] = [];
      let open = 2;
      const settle = (code: number | null): void => {
        if (code === REPLICA_SUCCESS) resolve(code);
        if (code !== null) codes.push(code);
        if (--open > 0) return;
        const isConflict = codes.includes(REPLICA_ERROR_BOX_ALREADY_EXISTS);
        resolve(isConflict ? REPLICA_ERROR_BOX_ALREADY_EXISTS : (codes[0] ?? null));
      };
      void this.#sendTo(envelope, 0).then(settle);
      void this.#sendTo(envelope, 1).then(settle);
    });
  }

  async #sendTo(envelope: CourierEnvelope, slot: 0 | 1): Promise<number | null> {
    const { linkTo, timing } = this.#options;
    const link = linkTo(envelope.intermediateReplicas[slot]);
    if (link === undefined) return null;
    try {
      const reply = await link.request(replicaMessageOf(envelope, slot), timing.copyStepMs);
      return reply.kind === "replicaMessageReply" ? reply.errorCode : null;
    } catch {
      return null;
    }
  }
}
