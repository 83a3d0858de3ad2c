/** Reads and writes boxes, and replaces envelopes that grow old. */
import { type Bytes, copyBytes, equalBytes, type PlainBytes, textOrBytes } from "../bytes/bytes.js";
import {
  MessageBoxIndex,
  ReadCap,
  WriteCap,
  checkReadCap,
  checkWriteCap,
} from "../bytes/opaque.js";
import { checkFlag } from "../bytes/options.js";
import { checkBoxIndex, checkCallback, checkInteger } from "./argument-checks.js";
import {
  type CallOptions,
  checkCallOptions,
  type Hindrance,
  runWithin,
  scopeWithin,
} from "./call-options.js";
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

/** How many reads must miss a box before it counts as gone. */
const QUESTIONS_BEFORE_GONE = 5;

/** What reading and writing boxes needs from the client. */
export interface BoxContext extends SizedCalls, EnvelopeContext {
  readonly options: MeasureOptions;
  readonly waitingReads: WaitingReads;
}

/** Options of `read`. */
export interface ReadOptions extends CallOptions {
  /**
   * `true` (the default) waits until the box holds something; `false` rejects with
   * `BoxIDNotFoundError` if it is empty.
   */
  readonly wait?: boolean | undefined;
}

/** The content of a box. */
export interface ReadResult {
  /**
   * The plaintext that the writer put in: up to `pigeonholeGeometry.maxPlaintextPayloadLength`
   * bytes, or 4 bytes fewer if `copy` wrote the box.
   */
  readonly plaintext: Bytes;
  /** The index of the box after this one: 104 bytes. */
  readonly nextMessageBoxIndex: MessageBoxIndex;
}

/** Options of `write`. */
export interface WriteOptions extends CallOptions {
  /**
   * What to do if the box already holds something. `same` (the default): nothing. The write is done
   * when a courier has it, and the box keeps its earlier content. `error`: wait for the replicas'
   * answer, and reject with `BoxAlreadyExistsError` if the box holds something else.
   */
  readonly ifExists?: "same" | "error" | undefined;
}

/** A box that was written. */
export interface WriteResult {
  /** The index of the box after this one: 104 bytes. */
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
  let attempts = 0;
  const hindrance = (): Hindrance | null => {
    if (attempts === 0) return context.calls.hindrance(true);
    const times = attempts === 1 ? "one attempt" : `${attempts} attempts`;
    return context.calls.hindrance(true, { text: `the box was still empty after ${times}` });
  };
  const onEmpty = (): number => attempts++;
  const work = (whole: AbortSignal): Promise<ReadResult> =>
    wait
      ? askUntilThere(context, box, whole, "read", { onEmpty })
      : ask(context, box, whole, "read");
  return runWithin(context, "read", options, work, hindrance);
}

/**
 * Whether a box that a courier acknowledged a while ago is stored. It may still have been on its
 * way to the replicas, so this reads it several times before it gives up.
 */
export async function isThere(
  context: BoxContext,
  readCap: ReadCap,
  messageBoxIndex: MessageBoxIndex,
  signal: AbortSignal,
): Promise<boolean> {
  const box = { readCap, messageBoxIndex };
  try {
    await askUntilThere(context, box, signal, "copy", { most: QUESTIONS_BEFORE_GONE });
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
 * Reads until the box is there, at most `most` times, and throws the last read's error. An error
 * that means "the daemon cannot do this at the moment" ends only the first read. `onEmpty` is called
 * when the box turned out to be empty.
 */
async function askUntilThere(
  context: BoxContext,
  box: WantedBox,
  whole: AbortSignal,
  operation: ComposedCall,
  {
    most = Infinity,
    onEmpty,
  }: { readonly most?: number; readonly onEmpty?: (() => void) | undefined },
): Promise<ReadResult> {
  const waiting = context.waitingReads.begin();
  for (let number = 1; ; number++) {
    waiting.asks();
    try {
      return await ask(context, box, whole, operation);
    } catch (error) {
      if (!waiting.mayAskAgain(error) || number >= most) throw error;
      if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) onEmpty?.();
    }
    await waiting.turn(whole);
  }
}

/** Reads a box once. @throws BoxIDNotFoundError when there is no such box. */
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
  const bytes = textOrBytes("plaintext", plaintext) as PlainBytes;
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

/** Deletes a box, whether or not it holds something. */
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
  /** Empty for a tombstone. */
  readonly plaintext: PlainBytes;
  /** Whether it is an error if the box already holds something else. */
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
  await runWithin(context, operation, options, (signal) =>
    writeBox(context, operation, kept, signal, (index) => (next = index)),
  );
  return { nextMessageBoxIndex: next! };
}

/**
 * Writes a box. The caller has checked the arguments, and nobody changes them afterwards.
 * @param onSealed called with the index of the next box as soon as it is known, and again for each
 * fresh envelope.
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
// when it was made (spec/pigeonhole §6). Replicas drop those keys after a week or two. Then nobody
// can open the envelope, and a caller who waits for its answer would wait forever.

/**
 * How many envelopes in a row may be refused before the caller gets the error: the first one and
 * three fresh ones. The count restarts when a PKI document shows that an envelope's keys are gone.
 */
export const MAX_REFUSED_ENVELOPES = 4;

/** What the client needs to know when an envelope is out of date. */
export interface EnvelopeContext {
  readonly hub: EventHub;
  readonly documents: PkiCache;
}

/** Errors about the envelope, not about the box: another envelope for the same box may work. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "REPLICA_ERROR_INVALID_EPOCH",
  "THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH",
  "THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE",
  "THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION",
  "THIN_CLIENT_PROPAGATION_ERROR",
  "THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED",
]);

/**
 * The reason for aborting an envelope's scope when its keys are gone. It stays inside this file.
 */
const outOfDate = Symbol("envelope out of date");

/**
 * Seals an envelope and sends it. Seals a fresh one if the network refuses it, or if a PKI document
 * shows that its keys are gone. The previous envelope is cancelled first.
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

/** Calls `onGone` when a document shows that the keys of an envelope sealed now are gone. */
function watchKeys({ hub, documents }: EnvelopeContext, onGone: () => void): () => void {
  let sealedBy = documents.current;
  return hub.on("newPkiDocument", ({ document }) => {
    if (!document) return;
    sealedBy ??= document;
    if (isOutOfDate(sealedBy, document)) onGone();
  });
}

/**
 * Whether an envelope sealed under one document must be sealed again under another. It must if a
 * replica that is still listed has dropped a key for an epoch in which all replicas had one: that
 * epoch is over for the other replicas too. Added keys (those of the next week) do not matter.
 *
 * A replica that left the document is not a reason. Only the daemon knows for which two replicas an
 * envelope is sealed, and either one can open it. Sealing again takes a real daemon seconds for
 * every waiting read. If both replicas left, the envelope waits until one returns or the epoch
 * ends. With so many replicas away a new envelope often cannot be made, so sealing again could fail
 * a call that could have waited.
 */
function isOutOfDate(sealedBy: PkiDocument, now: PkiDocument): boolean {
  const before = sealedBy.storageReplicas;
  const listed = new Map(now.storageReplicas.map((one) => [one.replicaId, one.envelopeKeys]));
  // With fewer than two replicas nobody can seal a new envelope, so keep the old one.
  if (listed.size < 2) return false;
  return before.some(({ replicaId, envelopeKeys }) => {
    const keys = listed.get(replicaId);
    if (!keys) return false;
    return [...envelopeKeys].some(([epoch, key]) => {
      // A single replica may have kept an older key longer than the others.
      if (!before.every((one) => one.envelopeKeys.has(epoch))) return false;
      const present = keys.get(epoch);
      return !present || !equalBytes(present, key);
    });
  });
}

// Tombstones for many boxes. spec/thin-protocol §6.2.

/** The progress of a tombstone range. */
export interface TombstoneProgress {
  /** Tombstones made so far, this one included. */
  readonly boxesDone: number;
  /** The call's `maxCount`. */
  readonly boxesTotal: number;
  /** The tombstone just made. A caller that aborts keeps the tombstones it was given. */
  readonly envelope: TombstoneEnvelope;
}

/** Options of `tombstoneRange`. */
export interface TombstoneRangeOptions extends CallOptions {
  /** Called after each tombstone; what it throws ends the call. */
  readonly onProgress?: ((progress: TombstoneProgress) => void) | undefined;
}

/** What {@link tombstoneRange} needs from the client. */
export interface TombstoneContext extends SizedCalls {
  readonly options: MeasureOptions;
}

/** Makes tombstones for `maxCount` boxes, beginning with `start`. It does not send them. */
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
  return runWithin(context, operation, options, async (signal) => {
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
      // Errors that can end any call (an abort, the deadline, a closed client) are passed on
      // unwrapped.
      const common = signal.aborted || hasCode(error, "ERR_CLOSED");
      if (common || !isThinClientError(error)) throw error;
      throw new TombstoneRangeError(error, { envelopes, next }, { operation });
    }
    return { envelopes, next };
  });
}
