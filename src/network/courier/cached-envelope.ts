/** What a courier knows about one envelope (spec/pigeonhole §9.1). */
import type { EnvelopeHash } from "../../bytes/opaque.js";
import type { Timer } from "../../clock/clock.js";
import type { CourierEnvelope } from "../../crypto/envelope/courier-messages.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import {
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
  REPLICA_ERROR_TOMBSTONE,
  REPLICA_SUCCESS,
} from "../../errors/codes.js";
import { temporaryForEnvelopes } from "../temporary-codes.js";

/** A replica's answer. */
export interface SlotReply {
  /** The replica's error code, sent in clear. */
  readonly errorCode: number;
  /** The sealed reply; empty if the replica failed before it could make one. */
  readonly payload: Uint8Array;
}

/**
 * Whether an envelope's key and contents have this network's lengths; replicas accept no others.
 */
export function isWellSized(sizes: PigeonholeSizes, envelope: CourierEnvelope): boolean {
  return (
    envelope.senderPublicKey.length === sizes.nikePublicKeyLength &&
    envelope.ciphertext.length === sizes.courierEnvelopeCiphertextLength
  );
}

/** An envelope, how often it was dispatched, and the replies. */
export class CachedEnvelope {
  readonly hash: EnvelopeHash;
  /** When it arrived, by the monotonic clock. */
  readonly createdMs: number;
  /** Settles when it is logged; it must not be acknowledged before that. */
  logged: Promise<void> = Promise.resolve();
  /** Settles when the first dispatch has ended. */
  dispatched: Promise<void> = Promise.resolve();
  /** Whether a dispatch is in progress. */
  dispatching = false;
  /** When the last dispatch began, by the monotonic clock. */
  dispatchedMs = Number.NEGATIVE_INFINITY;
  /** How many boxes the network had stored at that time, if known. */
  storedAtDispatch = 0;
  /** How many dispatches ended without a final answer. */
  fruitless = 0;
  /** How often a client's query caused another dispatch. */
  redispatches = 0;
  /** The timer for dispatching again after no final answer. */
  retry: Timer | null = null;
  #envelope: CourierEnvelope | null;
  readonly #kind: boolean;
  readonly #replies: [SlotReply | null, SlotReply | null] = [null, null];

  /**
   * @param kind whether to prefer a good reply over an error; see {@link Kindness.kindCouriers}.
   */
  constructor(hash: EnvelopeHash, envelope: CourierEnvelope, createdMs: number, kind: boolean) {
    this.hash = hash;
    this.createdMs = createdMs;
    this.#envelope = envelope;
    this.#kind = kind;
  }

  /** The envelope to dispatch; null after success, because it is not needed then. */
  get envelope(): CourierEnvelope | null {
    return this.#envelope;
  }

  /** Whether one of the replicas did what the envelope asks for. */
  get succeeded(): boolean {
    return this.#envelope === null;
  }

  /** Whether one of the replicas answered at all. */
  get isAnswered(): boolean {
    return this.#replies.some((reply) => reply !== null);
  }

  /** Whether one of the replicas gave an answer that is not temporary. */
  get hasVerdict(): boolean {
    return this.#replies.some(
      (reply) => reply !== null && !temporaryForEnvelopes.has(reply.errorCode),
    );
  }

  /** Whether all replicas that answered say that there is no such box. */
  get isMissed(): boolean {
    const replies = this.#replies.filter((reply) => reply !== null);
    return (
      replies.length > 0 &&
      replies.every(({ errorCode }) => errorCode === REPLICA_ERROR_BOX_ID_NOT_FOUND)
    );
  }

  /** Takes a reply: the first for its slot, or one that replaces an error. */
  accept(slot: 0 | 1, reply: SlotReply): void {
    const before = this.#replies[slot];
    if (before !== null) {
      if (before.errorCode === REPLICA_SUCCESS) return;
      // A reply without payload tells the client nothing; the earlier error did.
      if (this.#kind && reply.payload.length === 0 && before.payload.length > 0) return;
    }
    this.#replies[slot] = reply;
    if (reply.errorCode === REPLICA_SUCCESS) this.#envelope = null;
  }

  /**
   * The reply for a client that asks for `slot`: from this slot if it has one, otherwise from the
   * other; null if there is none. For a kind courier, a miss gives way to the box that the other
   * replica found.
   */
  replyFor(slot: 0 | 1): { readonly slot: 0 | 1; readonly payload: Uint8Array } | null {
    const otherSlot = slot === 0 ? 1 : 0;
    const own = this.#replies[slot];
    const other = this.#replies[otherSlot];
    const hasOwn = own !== null && own.payload.length > 0;
    const hasOther = other !== null && other.payload.length > 0;
    const isFound =
      this.#kind &&
      hasOther &&
      (other.errorCode === REPLICA_SUCCESS || other.errorCode === REPLICA_ERROR_TOMBSTONE);
    if (hasOwn && !(own.errorCode === REPLICA_ERROR_BOX_ID_NOT_FOUND && isFound)) {
      return { slot, payload: own.payload };
    }
    return hasOther ? { slot: otherSlot, payload: other.payload } : null;
  }
}
