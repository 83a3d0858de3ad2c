/**
 * Operations that outlive their envelope. An envelope is sealed to the keys that two replicas had
 * when it was made (spec/pigeonhole §6). Replicas drop those keys after a week or two; then
 * nobody can open it any more, and whoever waits for its answer would wait for ever.
 */
import { equalBytes } from "../bytes/bytes.js";
import { isThinClientError } from "../errors/errors.js";
import type { ErrorCode } from "../errors/errors.js";
import type { PkiDocument } from "../pki/document.js";
import type { EventHub } from "./event-hub.js";
import type { PkiCache } from "./pki-cache.js";
import { scopeWithin } from "./run-within.js";

/**
 * How many envelopes in a row may be refused before the error goes to the caller: the first and
 * three fresh ones. A new PKI document begins the count again.
 */
export const MAX_REFUSED_ENVELOPES = 4;

/** What says when an envelope is out of date. */
export interface EnvelopeContext {
  readonly hub: EventHub;
  readonly documents: PkiCache;
}

/** Verdicts on the envelope, not on the box: another envelope for the same box may do. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "REPLICA_ERROR_INVALID_EPOCH",
  "THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH",
  "THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE",
  "THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION",
  "THIN_CLIENT_PROPAGATION_ERROR",
  "THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED",
]);

/** Why an envelope's scope is aborted when its keys are gone; never seen outside. */
const outOfDate = Symbol("envelope out of date");

/**
 * Seals an envelope and sends it; with a fresh one when the network refuses it, or when a PKI
 * document says that its keys are gone. The one before is cancelled first.
 * @param seal makes an envelope; may be called again.
 * @param send sends it and waits for the answer; its signal cancels it.
 */
export async function withFreshEnvelope<E, T>(
  context: EnvelopeContext,
  signal: AbortSignal,
  seal: (signal: AbortSignal) => Promise<E>,
  send: (envelope: E, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (let refused = 0; ;) {
    const scope = scopeWithin(signal);
    const unwatch = watchKeys(context, () => scope.abort(outOfDate));
    try {
      return await send(await seal(scope.signal), scope.signal);
    } catch (error) {
      if (error === outOfDate) refused = 0;
      else if (!isRefusal(error) || ++refused >= MAX_REFUSED_ENVELOPES) throw error;
    } finally {
      unwatch();
      scope.leave();
    }
  }
}

function isRefusal(error: unknown): boolean {
  return isThinClientError(error) && refusals.has(error.code);
}

/** Calls `onGone` when a document says that the keys of an envelope sealed now are gone. */
function watchKeys({ hub, documents }: EnvelopeContext, onGone: () => void): () => void {
  let sealedBy = documents.current;
  return hub.on("newPkiDocument", ({ document }) => {
    if (!document) return;
    sealedBy ??= document;
    if (isOutOfDate(sealedBy, document)) onGone();
  });
}

/**
 * Whether an envelope made by one document should be made anew by another: a replica that is still
 * there no longer has a key that all had, so its epoch is over, for the others too. Keys that were
 * added (those of the next week) harm nobody.
 *
 * A replica that left is no reason. Which two an envelope is for only the daemon knows; either
 * opens it, and making it anew takes a real daemon seconds, for every read that waits. Where both
 * have left it waits until one is back, or the epoch ends: with so many away a new one often cannot
 * be made, and a call that could have waited would fail.
 */
function isOutOfDate(sealedBy: PkiDocument, now: PkiDocument): boolean {
  const before = sealedBy.storageReplicas;
  const listed = new Map(now.storageReplicas.map((one) => [one.replicaId, one.envelopeKeys]));
  // Nobody can make an envelope by that: the old one is better than none.
  if (listed.size < 2) return false;
  return before.some(({ replicaId, envelopeKeys }) => {
    const keys = listed.get(replicaId);
    if (!keys) return false;
    return [...envelopeKeys].some(([epoch, key]) => {
      // One replica alone may have kept an older key longer than the others.
      if (!before.every((one) => one.envelopeKeys.has(epoch))) return false;
      const present = keys.get(epoch);
      return !present || !equalBytes(present, key);
    });
  });
}
