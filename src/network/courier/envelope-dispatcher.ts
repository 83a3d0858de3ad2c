/** Sends envelopes to their two replicas, and sends them again (spec/pigeonhole §9.1). */
import { equalBytes } from "../../bytes/bytes.js";
import type { Clock, Timer } from "../../clock/clock.js";
import { replicaMessageOf } from "../../crypto/envelope/client-envelope.js";
import type { CourierEnvelope } from "../../crypto/envelope/courier-messages.js";
import type { ReplicaCommand } from "../../crypto/envelope/wire-commands.js";
import { type Timing, pauseBefore } from "../../mixnet/timing.js";
import { ConcurrencyGate } from "../concurrency-gate.js";
import type { StorageLink } from "../storage-link.js";
import type { CachedEnvelope } from "./cached-envelope.js";

/** How many envelopes may be on their way to replicas at a time; others wait. */
const mostAtOnce = 256;
/** How many messages wait for a replica that is listed but away; further ones are lost. */
const mostHeld = 64;
/** How often a client's queries about one envelope cause another dispatch. */
const mostRedispatches = 5;
/** A replica ID that means "any replica that answers". */
const anyReplica = 255;
const slots = [0, 1] as const;

/** What a dispatcher needs. */
export interface DispatcherOptions {
  readonly clock: Clock;
  readonly timing: Pick<
    Timing,
    "courierRedispatchMs" | "courierSilenceMs" | "courierRetryMs" | "courierMissMs"
  >;
  /** The connection to a replica; undefined if there is no replica with that ID. */
  readonly linkTo: (replicaId: number) => StorageLink | undefined;
  /**
   * How many boxes the whole network has stored. Until this number changes, a missing box is still
   * missing, so couriers in the same process need not ask again, and a hundred waiting readers cost
   * next to nothing. Null: couriers can only ask the replicas, as on a real network.
   */
  readonly storedSoFar: (() => number) | null;
  /** See {@link Kindness.kindCouriers}. */
  readonly kind: boolean;
  /** Whether an entry is still wanted. */
  readonly isKept: (entry: CachedEnvelope) => boolean;
  /** Called when a replica's final answer to an envelope arrives for the first time. */
  readonly onVerdict: (entry: CachedEnvelope) => void;
}

/**
 * Dispatches envelopes. An envelope that got only errors (a miss counts as one), or no answer for a
 * long time, is dispatched again when a client asks for it, five times in all. Nothing is
 * dispatched again without a client's query. A message for a replica that is away waits for it.
 *
 * A kind dispatcher has no such limit. If an envelope got no final answer (silence, no connection,
 * or a temporary error), the dispatcher sends it again on its own for as long as it is kept,
 * because its writer may have left after the courier's acknowledgement. An envelope that got only
 * errors is dispatched again when a client asks, with a pause between, because a box that was
 * missing may have been written by then.
 */
export class EnvelopeDispatcher {
  readonly #options: DispatcherOptions;
  readonly #gate = new ConcurrencyGate(mostAtOnce);
  readonly #silences = new Set<Timer>();
  /** Messages that wait for a replica to return, by its ID. */
  readonly #held = new Map<number, (() => boolean)[]>();
  #heldTimer: Timer | null = null;
  #closed = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Whether a client's query about the envelope causes another dispatch. */
  isDue(entry: CachedEnvelope): boolean {
    const { clock, timing } = this.#options;
    if (!this.#options.kind) {
      if (entry.redispatches >= mostRedispatches || entry.succeeded) return false;
      return entry.isAnswered || clock.monotonic() - entry.createdMs > timing.courierSilenceMs;
    }
    if (entry.dispatching || entry.succeeded) return false;
    const sinceMs = clock.monotonic() - entry.dispatchedMs;
    if (sinceMs < timing.courierRedispatchMs) return false;
    const { storedSoFar } = this.#options;
    if (storedSoFar === null || !entry.isMissed || sinceMs >= timing.courierMissMs) return true;
    return storedSoFar() !== entry.storedAtDispatch;
  }

  /**
   * Dispatches an envelope because a client asked and it {@link isDue}; resolves like {@link
   * start}.
   */
  startAgain(entry: CachedEnvelope): Promise<void> {
    entry.redispatches++;
    return this.start(entry);
  }

  /**
   * Dispatches an envelope, unless a dispatch is in progress. Resolves when both replicas have
   * answered or cannot; if not kind, when it is sent. Never rejects.
   */
  async start(entry: CachedEnvelope): Promise<void> {
    if (entry.dispatching || this.#closed) return;
    entry.dispatching = true;
    entry.retry?.cancel();
    entry.retry = null;
    await this.#gate.run(() => this.#round(entry));
  }

  async #round(entry: CachedEnvelope): Promise<void> {
    const { clock, isKept } = this.#options;
    const { envelope } = entry;
    entry.dispatchedMs = clock.monotonic();
    entry.storedAtDispatch = this.#options.storedSoFar?.() ?? 0;
    if (!this.#options.kind) {
      if (envelope !== null) this.#sendInTurn(entry, envelope);
      entry.dispatching = false;
      return;
    }
    if (envelope !== null && isKept(entry)) await this.#sendToBoth(entry, envelope);
    entry.dispatching = false;
    if (!entry.hasVerdict && isKept(entry)) this.#tryLater(entry);
  }

  /**
   * Sends to the second replica only if the first one exists and could take the envelope, or may
   * later.
   */
  #sendInTurn(entry: CachedEnvelope, envelope: CourierEnvelope): void {
    for (const slot of slots) {
      const replicaId = envelope.intermediateReplicas[slot];
      if (this.#options.linkTo(replicaId) === undefined) return;
      const send = (): boolean => this.#send(entry, envelope, slot, () => {});
      if (!send() && !this.#hold(replicaId, send)) return;
    }
  }

  /** Returns false if too many messages wait for that replica. */
  #hold(replicaId: number, send: () => boolean): boolean {
    const held = this.#held.get(replicaId) ?? [];
    if (held.length >= mostHeld) return false;
    held.push(send);
    this.#held.set(replicaId, held);
    this.#lookAfterHeld();
    return true;
  }

  #lookAfterHeld(): void {
    if (this.#heldTimer !== null || this.#closed) return;
    const { clock, timing } = this.#options;
    const look = (): void => {
      this.#heldTimer = null;
      for (const [replicaId, held] of this.#held) {
        while (held.length > 0 && held[0]!()) held.shift();
        if (held.length === 0) this.#held.delete(replicaId);
      }
      if (this.#held.size > 0) this.#lookAfterHeld();
    };
    this.#heldTimer = clock.after(timing.courierRedispatchMs, look, { background: true });
  }

  /** Resolves when both replicas have answered or cannot, or when the allowed silence is over. */
  #sendToBoth(entry: CachedEnvelope, envelope: CourierEnvelope): Promise<void> {
    const { clock, timing } = this.#options;
    return new Promise((resolve) => {
      const end = (): void => {
        silence.cancel();
        this.#silences.delete(silence);
        resolve();
      };
      const silence = clock.after(timing.courierSilenceMs, end, { background: true });
      this.#silences.add(silence);
      let open = slots.length;
      const settled = (): void => {
        if (--open === 0) end();
      };
      for (const slot of slots) {
        if (!this.#send(entry, envelope, slot, settled)) settled();
      }
    });
  }

  /** Returns false if it cannot be sent. */
  #send(
    entry: CachedEnvelope,
    envelope: CourierEnvelope,
    slot: 0 | 1,
    settled: () => void,
  ): boolean {
    const link = this.#options.linkTo(envelope.intermediateReplicas[slot]);
    if (link === undefined) return false;
    try {
      // An answer counts whenever it comes, even after the allowed silence.
      link.send(replicaMessageOf(envelope, slot), (reply) => {
        this.#take(entry, envelope, slot, reply);
        settled();
      });
    } catch {
      return false;
    }
    return true;
  }

  #take(
    entry: CachedEnvelope,
    envelope: CourierEnvelope,
    slot: 0 | 1,
    reply: ReplicaCommand,
  ): void {
    if (this.#closed || reply.kind !== "replicaMessageReply") return;
    const replicaId = envelope.intermediateReplicas[slot];
    if (replicaId !== anyReplica && replicaId !== reply.replicaId) return;
    if (!equalBytes(reply.envelopeHash, entry.hash)) return;
    const hadVerdict = entry.hasVerdict;
    entry.accept(slot, { errorCode: reply.errorCode, payload: reply.envelopeReply });
    if (!hadVerdict && entry.hasVerdict) this.#options.onVerdict(entry);
  }

  #tryLater(entry: CachedEnvelope): void {
    if (this.#closed) return;
    const { clock, timing } = this.#options;
    const again = (): void => {
      entry.retry = null;
      void this.start(entry);
    };
    const pause = pauseBefore(timing.courierRetryMs, entry.fruitless++);
    entry.retry = clock.after(pause, again, { background: true });
  }

  /** Stops everything and cancels all timers. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#heldTimer?.cancel();
    this.#held.clear();
    for (const silence of this.#silences) silence.cancel();
    this.#silences.clear();
  }
}
