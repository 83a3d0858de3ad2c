/** Reading and writing boxes, envelopes and their ageing taken care of. */
import {
  type Bytes,
  checkBytes,
  copyBytes,
  equalBytes,
  type PlainBytes,
  utf8,
} from "../bytes/bytes.js";
import { MessageBoxIndex, ReadCap, WriteCap } from "../bytes/opaque.js";
import {
  checkBoxIndex,
  checkCallback,
  checkFlag,
  checkInteger,
  checkReadCap,
  checkWriteCap,
} from "./argument-checks.js";
import { type CallOptions, checkCallOptions, runWithin, scopeWithin } from "./call-options.js";
import type { PkiCache } from "./documents.js";
import {
  checkPlaintext,
  sealRead,
  sealWrite,
  type SizedCalls,
  resend,
  resendFields,
  type TombstoneEnvelope,
  type TombstoneRangeResult,
} from "./envelopes.js";
import type { EventHub } from "./event-hub.js";
import type { ComposedCall, MeasureOptions } from "./metrics.js";
import type { WaitingReads } from "./waiting-reads.js";
import { type ErrorCode, hasCode, isThinClientError } from "../errors/errors.js";
import { TombstoneRangeError } from "../errors/partial-results.js";
import type { PkiDocument } from "../pki/document.js";

/** How often a box must be missed before it counts as gone. */
const QUESTIONS_BEFORE_GONE = 5;

/** What boxes need of the client. */
export interface BoxContext extends SizedCalls, EnvelopeContext {
  readonly options: MeasureOptions;
  readonly waitingReads: WaitingReads;
}

/** Options of `read`. */
export interface ReadOptions extends CallOptions {
  /**
   * Whether to wait until something is in the box (the default); `false`: `BoxIDNotFoundError` when
   * nothing is.
   */
  readonly wait?: boolean | undefined;
}

/** What a box holds. */
export interface ReadResult {
  /**
   * What its writer put in: up to `pigeonholeGeometry.maxPlaintextPayloadLength` bytes, 4 fewer
   * where `copy` wrote it.
   */
  readonly plaintext: Bytes;
  /** The box after it. */
  readonly nextMessageBoxIndex: MessageBoxIndex;
}

/** Options of `write`. */
export interface WriteOptions extends CallOptions {
  /**
   * What a box that is taken means. `same` (the default): nothing, the write is done when a courier
   * has it, and what the box held before stays. `error`: waits for the replicas' verdict, and
   * `BoxAlreadyExistsError` when the box holds something else.
   */
  readonly ifExists?: "same" | "error" | undefined;
}

/** A box that was written. */
export interface WriteResult {
  /** The box after it. */
  readonly nextMessageBoxIndex: MessageBoxIndex;
}

/** Reads a box. */
export async function read(
  context: BoxContext,
  readCap: ReadCap,
  index: MessageBoxIndex,
  options?: ReadOptions,
): Promise<ReadResult> {
  checkCallOptions(options, "wait");
  checkReadCap("readCap", readCap);
  checkBoxIndex("index", index);
  const { wait = true } = options ?? {};
  checkFlag("options.wait", wait);
  const box = { readCap: ReadCap.from(readCap), messageBoxIndex: MessageBoxIndex.from(index) };
  return runWithin(context.options, "read", options, (whole) =>
    wait ? askUntilThere(context, box, whole, "read") : ask(context, box, whole, "read"),
  );
}

/**
 * Whether a box that was acknowledged a while ago is there: it may have been on its way to the
 * replicas still, so it is asked for a few times.
 */
export async function isThere(
  context: BoxContext,
  readCap: ReadCap,
  messageBoxIndex: MessageBoxIndex,
  signal: AbortSignal,
): Promise<boolean> {
  const box = { readCap, messageBoxIndex };
  try {
    await askUntilThere(context, box, signal, "copy", QUESTIONS_BEFORE_GONE);
    return true;
  } catch (error) {
    if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) return false;
    throw error;
  }
}

/** A box to read. */
interface WantedBox {
  readonly readCap: ReadCap;
  readonly messageBoxIndex: MessageBoxIndex;
}

/**
 * Asks until the box is there, at most `most` times; what the last question rejects with is thrown.
 * What the daemon cannot do for the moment ends only the first one.
 */
async function askUntilThere(
  context: BoxContext,
  box: WantedBox,
  whole: AbortSignal,
  operation: ComposedCall,
  most = Infinity,
): Promise<ReadResult> {
  const waiting = context.waitingReads.begin();
  for (let number = 1; ; number++) {
    waiting.asks();
    try {
      return await ask(context, box, whole, operation);
    } catch (error) {
      if (!waiting.mayAskAgain(error) || number >= most) throw error;
    }
    await waiting.turn(whole);
  }
}

/** Asks once what a box holds. @throws BoxIDNotFoundError when there is no such box. */
function ask(
  context: BoxContext,
  box: WantedBox,
  whole: AbortSignal,
  operation: ComposedCall,
): Promise<ReadResult> {
  const { calls, waitingReads } = context;
  return withFreshEnvelope(
    context,
    whole,
    async (signal) => {
      const turn = await waitingReads.sealingTurn(signal);
      try {
        const envelope = await sealRead(calls, box, { operation, options: { signal } });
        turn.sealed();
        return envelope;
      } finally {
        turn.end();
      }
    },
    async (envelope, signal) => {
      const fields = resendFields({ ...envelope, noRetryOnBoxIdNotFound: true });
      const { plaintext } = await resend(calls, fields, { operation, options: { signal } });
      return { plaintext, nextMessageBoxIndex: envelope.nextMessageBoxIndex };
    },
  );
}

/** Writes a box. */
export async function write(
  context: BoxContext,
  writeCap: WriteCap,
  index: MessageBoxIndex,
  plaintext: PlainBytes | string,
  options?: WriteOptions,
): Promise<WriteResult> {
  checkCallOptions(options, "ifExists");
  const bytes = typeof plaintext === "string" ? utf8(plaintext) : plaintext;
  checkBytes("plaintext", bytes);
  if (bytes.length === 0) {
    throw new RangeError(
      "`plaintext` must be at least 1 byte, got 0: a box without plaintext is a tombstone, " +
        "which tombstone() writes",
    );
  }
  const { ifExists = "same" } = options ?? {};
  if (ifExists !== "same" && ifExists !== "error") {
    throw new TypeError('`options.ifExists` must be "same" or "error"');
  }
  const box = { writeCap, index, plaintext: bytes, exclusive: ifExists === "error" };
  return writeChecked(context, "write", box, options);
}

/** Deletes a box, whether it holds something or not. */
export async function tombstone(
  context: BoxContext,
  writeCap: WriteCap,
  index: MessageBoxIndex,
  options?: CallOptions,
): Promise<WriteResult> {
  checkCallOptions(options);
  const box = { writeCap, index, plaintext: new Uint8Array(0), exclusive: false };
  return writeChecked(context, "tombstone", box, options);
}

/** A box to write. */
export interface OutgoingBox {
  readonly writeCap: WriteCap;
  readonly index: MessageBoxIndex;
  /** No bytes: a tombstone. */
  readonly plaintext: PlainBytes;
  /** Whether a box that holds something else is an error. */
  readonly exclusive: boolean;
}

async function writeChecked(
  context: BoxContext,
  operation: ComposedCall,
  box: OutgoingBox,
  options: CallOptions | undefined,
): Promise<WriteResult> {
  checkPlaintext(box.plaintext, context.pigeonholeGeometry);
  checkWriteCap("writeCap", box.writeCap);
  checkBoxIndex("index", box.index);
  const kept = {
    ...box,
    writeCap: WriteCap.from(box.writeCap),
    index: MessageBoxIndex.from(box.index),
    plaintext: copyBytes(box.plaintext),
  };
  let next: MessageBoxIndex | null = null;
  await runWithin(context.options, operation, options, (signal) =>
    writeBox(context, operation, kept, signal, (index) => (next = index)),
  );
  return { nextMessageBoxIndex: next! };
}

/**
 * Writes a box whose arguments were checked and are not changed by anybody.
 * @param onSealed called with the box after it as soon as that is known; again for each fresh
 * envelope.
 */
export async function writeBox(
  context: BoxContext,
  operation: string,
  box: OutgoingBox,
  whole: AbortSignal,
  onSealed: (next: MessageBoxIndex) => void,
): Promise<void> {
  const { writeCap, index, plaintext, exclusive } = box;
  await withFreshEnvelope(
    context,
    whole,
    async (signal) => {
      const asking = { operation, options: { signal } };
      const box = { writeCap, messageBoxIndex: index };
      const made = await sealWrite(context.calls, box, plaintext, asking);
      onSealed(made.nextMessageBoxIndex);
      return { ...made, noIdempotentBoxAlreadyExists: exclusive };
    },
    (envelope, signal) =>
      resend(context.calls, resendFields(envelope), { operation, options: { signal } }),
  );
}

// Operations that outlive their envelope. An envelope is sealed to the keys that two replicas had
// when it was made (spec/pigeonhole §6). Replicas drop those keys after a week or two; then
// nobody can open it any more, and anyone who waits for its answer would wait forever.

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
 * Whether an envelope made by one document should be made again by another: a replica that is still
 * there no longer has a key that all had, so its epoch is over, for the others too. Keys that were
 * added (those of the next week) harm nobody.
 *
 * A replica that left is no reason. Which two an envelope is for only the daemon knows; either
 * opens it, and making it again takes a real daemon seconds, for every read that waits. Where both
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

// Tombstones for many boxes. spec/thin-protocol §6.2.

/** How far a tombstone range is. */
export interface TombstoneProgress {
  /** Tombstones made so far, this one included. */
  readonly boxesDone: number;
  /** The call's `maxCount`. */
  readonly boxesTotal: number;
  /** The tombstone just made; one that aborts can keep those it was given. */
  readonly envelope: TombstoneEnvelope;
}

/** Options of `tombstoneRange`. */
export interface TombstoneRangeOptions extends CallOptions {
  /** Called after each tombstone; what it throws ends the call. */
  readonly onProgress?: ((progress: TombstoneProgress) => void) | undefined;
}

/** What {@link tombstoneRange} needs of the client. */
export interface TombstoneContext extends SizedCalls {
  readonly options: MeasureOptions;
}

/** Makes tombstones for `maxCount` boxes from `start` on; sends none of them. */
export async function tombstoneRange(
  context: TombstoneContext,
  writeCap: WriteCap,
  start: MessageBoxIndex,
  maxCount: number,
  options?: TombstoneRangeOptions,
): Promise<TombstoneRangeResult> {
  const operation = "tombstoneRange";
  checkCallOptions(options, "onProgress");
  checkWriteCap("writeCap", writeCap);
  checkBoxIndex("start", start);
  checkInteger("maxCount", maxCount, 0xffff_ffff);
  checkCallback("options.onProgress", options?.onProgress);
  const notUsable = context.calls.notUsable(operation);
  if (notUsable) throw notUsable;
  const cap = WriteCap.from(writeCap);
  const envelopes: TombstoneEnvelope[] = [];
  let next = MessageBoxIndex.from(start);
  return runWithin(context.options, operation, options, async (signal) => {
    try {
      while (envelopes.length < maxCount) {
        const box = { writeCap: cap, messageBoxIndex: next };
        const asking = { operation, options: { signal } };
        const made = await sealWrite(context.calls, box, new Uint8Array(0), asking);
        const { messageCiphertext, envelopeDescriptor, envelopeHash } = made;
        const boxIndex = next;
        const envelope = { messageCiphertext, envelopeDescriptor, envelopeHash, boxIndex };
        envelopes.push(envelope);
        next = made.nextMessageBoxIndex;
        const boxesDone = envelopes.length;
        options?.onProgress?.({ boxesDone, boxesTotal: maxCount, envelope });
      }
    } catch (error) {
      // What ends every call alike reads alike: an abort, the deadline, a closed client.
      const common = signal.aborted || hasCode(error, "ERR_CLOSED");
      if (common || !isThinClientError(error)) throw error;
      throw new TombstoneRangeError(error, { envelopes, next }, { operation });
    }
    return { envelopes, next };
  });
}
