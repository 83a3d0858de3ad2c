/** A courier: the service through which clients reach replicas (spec/pigeonhole §9.1). */
import type { Clock } from "../../clock/clock.js";
import type { EnvelopeHash } from "../../bytes/opaque.js";
import {
  type CourierEnvelope,
  CourierErrorCode,
  type CourierQuery,
  type CourierQueryReply,
  decodeCourierEnvelope,
  decodeCourierQuery,
  encodeCourierEnvelope,
  encodeCourierQueryReply,
  envelopeHashOf,
} from "../../crypto/envelope/courier-messages.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import { ProtocolError } from "../../errors/errors.js";
import type { Timing } from "../../mixnet/timing.js";
import type { Breather } from "../../clock/breather.js";
import type { Kaetzchen, ServiceRequest } from "../kaetzchen/kaetzchen.js";
import type { StorageLink } from "../storage-link.js";
import { CachedEnvelope, isWellSized } from "./cached-envelope.js";
import { CopyCommands } from "./copy-commands.js";
import { CopyReplicas, type CopyReplicasOptions } from "./copy-replicas.js";
import { EnvelopeDispatcher } from "./envelope-dispatcher.js";
import { EnvelopeCache } from "./envelope-cache.js";
import type { CourierRecord, EnvelopeLog } from "./envelope-log.js";

/** How many replica epochs an envelope may be off. */
const epochTolerance = 1n;
const noBytes = new Uint8Array(0);

/** What a courier needs. */
export interface CourierOptions extends CopyReplicasOptions {
  /** The clock for pauses, retries and the age of entries. */
  readonly clock: Clock;
  /** The courier's waits; the daemon's and the replicas' waits in it are ignored. */
  readonly timing: Timing;
  /** Lengths of the network's messages; envelopes of other lengths are refused. */
  readonly sizes: PigeonholeSizes;
  /** The connection to a replica; undefined if there is no replica with that ID. */
  readonly linkTo: (replicaId: number) => StorageLink | undefined;
  /**
   * How many boxes the whole network has stored; null (the default) if couriers cannot know that.
   */
  readonly storedSoFar?: (() => number) | null | undefined;
  /** See {@link Kindness.kindCouriers}; false by default. */
  readonly kindCouriers?: boolean | undefined;
  /** The records that survive a restart of the courier; null for none. */
  readonly log: EnvelopeLog | null;
  /** Lets other work run while a copy is made. */
  readonly breather: Breather;
}

function envelopeReply(
  envelopeHash: Uint8Array,
  replyIndex: number,
  errorCode: number,
  payload: Uint8Array = noBytes,
): CourierQueryReply {
  const replyType = payload.length > 0 ? "payload" : "ack";
  return { kind: "envelope", reply: { envelopeHash, replyIndex, replyType, payload, errorCode } };
}

/**
 * Takes envelopes, passes them to their two replicas, and keeps the answers until the client
 * fetches them. An acknowledgement means that the envelope is logged (if there is a log) and
 * dispatched. After a restart, unanswered envelopes are dispatched again, unless their epoch is too
 * far off for any replica. A kind courier dispatches on its own until a replica has answered.
 */
export class Courier implements Kaetzchen {
  readonly capability = "courier";
  readonly endpoint = "courier";
  readonly #options: CourierOptions;
  readonly #cache: EnvelopeCache;
  readonly #dispatcher: EnvelopeDispatcher;
  readonly #copies: CopyCommands;
  /** Set while it reads its log: only after that does it know which envelopes it has. */
  #resuming: Promise<void> | null = null;
  #closed = false;

  constructor(options: CourierOptions) {
    const { clock, timing, sizes, linkTo, log, breather } = options;
    this.#options = options;
    const { kindCouriers: kind = false } = options;
    this.#cache = new EnvelopeCache({
      clock,
      timing,
      kind,
      mustStay: (entry) => log !== null && !entry.hasVerdict && !this.#isOutOfTime(entry),
      onDrop: (entry) => {
        entry.retry?.cancel();
        if (!entry.hasVerdict) log?.remove(entry.hash);
      },
    });
    this.#dispatcher = new EnvelopeDispatcher({
      clock,
      timing,
      linkTo,
      storedSoFar: options.storedSoFar ?? null,
      kind,
      isKept: (entry) => this.#cache.has(entry),
      onVerdict: (entry) => {
        if (log === null) return;
        // An entry that was kept only for this answer is dropped now.
        this.#cache.dropIfOver(entry);
        const forget = (): void => log.remove(entry.hash);
        entry.logged.then(forget, () => {});
      },
    });
    this.#copies = new CopyCommands({
      clock,
      timing,
      sizes,
      log,
      breather,
      kind,
      replicas: new CopyReplicas(options),
    });
  }

  /** How many envelopes it remembers. */
  get cached(): number {
    return this.#cache.size;
  }

  /**
   * Continues what an earlier courier with the same log had not finished. Queries wait for it.
   * Rejects when the log cannot be read.
   */
  resume(): Promise<void> {
    const { log } = this.#options;
    if (log === null) return Promise.resolve();
    const resuming = this.#resume(log).finally(() => {
      this.#resuming = null;
    });
    this.#resuming = resuming.catch(() => {});
    return resuming;
  }

  async #resume(log: EnvelopeLog): Promise<void> {
    const records: CourierRecord[] = [];
    for await (const record of log.entries()) records.push(record);
    if (this.#closed) return;
    for (const record of records) {
      const key = record.key as EnvelopeHash;
      try {
        if (record.kind !== "envelope") this.#copies.resume(record);
        // A client may have sent it again meanwhile.
        else if (this.#cache.get(key) === undefined) {
          this.#take(key, decodeCourierEnvelope(record.body), null);
        }
      } catch {
        // A record that cannot be read now never will be.
        log.remove(record.key);
      }
    }
  }

  /** See {@link Kaetzchen.handle}. A query that cannot be parsed gets no reply. */
  async handle({ payload, wantsReply }: ServiceRequest): Promise<Uint8Array | null> {
    if (this.#resuming !== null) await this.#resuming;
    if (this.#closed) return null;
    let query: CourierQuery;
    try {
      query = decodeCourierQuery(payload);
    } catch (error) {
      if (error instanceof ProtocolError) return null;
      throw error;
    }
    const reply = await this.#answer(query);
    return reply === null || !wantsReply ? null : encodeCourierQueryReply(reply);
  }

  async #answer(query: CourierQuery): Promise<CourierQueryReply | null> {
    if (query.kind === "envelope") return this.#answerEnvelope(query.envelope);
    const reply = await this.#copies.answer(query.writeCap);
    return reply === null ? null : { kind: "copy", reply };
  }

  /** Whether the epoch is too far from the current replica epoch. */
  #isUntimely(epoch: bigint): boolean {
    const distance = epoch - BigInt(this.#options.replicaEpoch());
    return distance > epochTolerance || distance < -epochTolerance;
  }

  /** Whether no replica would accept the envelope. */
  #isOutOfTime({ envelope }: CachedEnvelope): boolean {
    return envelope === null || this.#isUntimely(envelope.epoch);
  }

  async #answerEnvelope(envelope: CourierEnvelope): Promise<CourierQueryReply | null> {
    const hash = envelopeHashOf(envelope);
    const { replyIndex } = envelope;
    if (this.#isUntimely(envelope.epoch)) {
      return envelopeReply(hash, replyIndex, CourierErrorCode.INVALID_EPOCH);
    }
    if (!isWellSized(this.#options.sizes, envelope)) {
      return envelopeReply(hash, 0, CourierErrorCode.INVALID_ENVELOPE);
    }
    const known = this.#cache.get(hash);
    // Without an answer the client asks again. To acknowledge this envelope, the courier would have
    // to drop another one that it has acknowledged.
    if (known === undefined && !this.#cache.hasRoom) return null;
    const entry = known ?? this.#take(hash, envelope, this.#options.log);
    try {
      await entry.logged;
    } catch {
      return this.#answerUnlogged(entry, replyIndex);
    }
    if (known === undefined) return envelopeReply(hash, replyIndex, CourierErrorCode.SUCCESS);
    return this.#answerFrom(known, replyIndex);
  }

  /**
   * An envelope that could not be logged, as on a full disk, must not be acknowledged. But a
   * replica's answer may be passed on, so that stored boxes can be read anyway.
   */
  async #answerUnlogged(
    entry: CachedEnvelope,
    replyIndex: number,
  ): Promise<CourierQueryReply | null> {
    await entry.dispatched;
    if (!entry.hasVerdict) {
      this.#cache.drop(entry);
      return null;
    }
    const answer = await this.#answerFrom(entry, replyIndex);
    return answer.kind === "envelope" && answer.reply.replyType === "payload" ? answer : null;
  }

  async #answerFrom(entry: CachedEnvelope, replyIndex: number): Promise<CourierQueryReply> {
    if (this.#dispatcher.isDue(entry)) {
      const round = this.#dispatcher.startAgain(entry);
      // Replicas in the same process answer at once. If the courier did not wait for them, the
      // client would get an answer that is older than its query, and it asks with growing pauses.
      if (this.#options.kindCouriers && this.#options.storedSoFar) await round;
    }
    if (replyIndex !== 0 && replyIndex !== 1) {
      return envelopeReply(entry.hash, 0, CourierErrorCode.INVALID_ENVELOPE);
    }
    const found = entry.replyFor(replyIndex);
    if (found === null) return envelopeReply(entry.hash, replyIndex, CourierErrorCode.SUCCESS);
    return envelopeReply(entry.hash, found.slot, CourierErrorCode.SUCCESS, found.payload);
  }

  #take(hash: EnvelopeHash, envelope: CourierEnvelope, log: EnvelopeLog | null): CachedEnvelope {
    const { clock, kindCouriers: kind = false } = this.#options;
    const entry = new CachedEnvelope(hash, envelope, clock.monotonic(), kind);
    if (log !== null) {
      entry.logged = this.#record(log, hash, envelope);
      // Callers who need the result wait for it; it is fine if nobody does.
      entry.logged.catch(() => {});
    }
    this.#cache.add(entry);
    entry.dispatched = this.#dispatcher.start(entry);
    return entry;
  }

  async #record(log: EnvelopeLog, key: EnvelopeHash, envelope: CourierEnvelope): Promise<void> {
    await log.append({ kind: "envelope", key, body: encodeCourierEnvelope(envelope) });
  }

  /** Stops, closes its log and cancels all timers. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#dispatcher.close();
    this.#cache.close();
    this.#copies.close();
    await this.#options.log?.close();
  }
}
