/** Reading and writing one box, envelopes and their ageing taken care of. */
import { type Bytes, type PlainBytes, checkBytes, copyBytes, utf8 } from "../bytes/bytes.js";
import { MessageBoxIndex, ReadCap, WriteCap } from "../bytes/opaque.js";
import { hasCode } from "../errors/errors.js";
import { checkBoxIndex, checkFlag, checkReadCap, checkWriteCap } from "./argument-checks.js";
import { type CallOptions, checkCallOptions } from "./call-options.js";
import { type EnvelopeContext, withFreshEnvelope } from "./fresh-envelope.js";
import type { ComposedCall, MeasureOptions } from "./metrics.js";
import {
  type SizedSession,
  checkPlaintext,
  encryptRead,
  encryptWrite,
  startResendingEncryptedMessage,
} from "./pigeonhole.js";
import { runWithin } from "./run-within.js";
import type { WaitingReads } from "./waiting-reads.js";

/** How often a box must be missed before it counts as gone. */
const QUESTIONS_BEFORE_GONE = 5;

/** What boxes need of the client. */
export interface BoxContext extends SizedSession, EnvelopeContext {
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
  const place = { cap: ReadCap.from(readCap), box: MessageBoxIndex.from(index) };
  return runWithin(context.options, "read", options, (whole) => {
    const question = (): Promise<ReadResult> => ask(context, place, whole);
    return wait ? context.waitingReads.untilThere(whole, question) : question();
  });
}

/**
 * Whether a box that was acknowledged a while ago is there: it may have been on its way to the
 * replicas still, so it is asked for a few times.
 */
export async function isThere(
  context: BoxContext,
  cap: ReadCap,
  box: MessageBoxIndex,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const question = (): Promise<ReadResult> => ask(context, { cap, box }, signal, "copy");
    await context.waitingReads.untilThere(signal, question, QUESTIONS_BEFORE_GONE);
    return true;
  } catch (error) {
    if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) return false;
    throw error;
  }
}

/** Asks once what a box holds. @throws BoxIDNotFoundError when there is no such box. */
function ask(
  context: BoxContext,
  { cap, box }: { readonly cap: ReadCap; readonly box: MessageBoxIndex },
  whole: AbortSignal,
  operation: ComposedCall = "read",
): Promise<ReadResult> {
  const { session, waitingReads } = context;
  return withFreshEnvelope(
    context,
    whole,
    (signal) =>
      waitingReads.seal(signal, () => encryptRead(session, cap, box, { signal }, operation)),
    async (envelope, signal) => {
      const request = { ...envelope, noRetryOnBoxIdNotFound: true };
      const { plaintext } = await startResendingEncryptedMessage(
        session,
        request,
        { signal },
        operation,
      );
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
      const options = { signal };
      const made = await encryptWrite(context, plaintext, writeCap, index, options, operation);
      onSealed(made.nextMessageBoxIndex);
      return { ...made, noIdempotentBoxAlreadyExists: exclusive };
    },
    (envelope, signal) =>
      startResendingEncryptedMessage(context.session, envelope, { signal }, operation),
  );
}
