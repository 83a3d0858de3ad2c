/**
 * Boxes: making streams, sealing envelopes, and having them sent. spec/thin-protocol §4.3 to §4.5.
 */
import { checkOptions } from "../bytes/options.js";
import { type Bytes, type PlainBytes, checkBytes, copyBytes, toHex } from "../bytes/bytes.js";
import {
  type EnvelopeDescriptor,
  EnvelopeHash,
  MessageBoxIndex,
  ReadCap,
  WriteCap,
} from "../bytes/opaque.js";
import { ConnectionLostError, StartResendingCancelledError } from "../errors/errors.js";
import { arqErrorFromReply } from "../errors/from-reply.js";
import type { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import type { ReplyTo } from "./calls.js";
import {
  checkBoxIndex,
  checkFlag,
  checkInteger,
  checkReadCap,
  checkSomeBytes,
  checkWriteCap,
} from "./argument-checks.js";
import { ask, required, requiredBytes } from "./ask.js";
import { type CallOptions, checkCallOptions } from "./call-options.js";
import type { Cancellation, QueryFields } from "./calls.js";
import type {
  EncryptReadResult,
  EncryptWriteResult,
  KeypairResult,
  ReadRequest,
  SealedEnvelope,
  StartResendingResult,
  WriteRequest,
} from "./pigeonhole-types.js";
import type { Session } from "./session.js";

/** A session, and the sizes that the daemon told; null before the first handshake. */
export interface SizedSession {
  readonly session: Session;
  readonly pigeonholeGeometry: PigeonholeGeometry | null;
}

/** A new stream from 32 random bytes; the same seed gives the same stream. */
export async function newKeypair(
  session: Session,
  seed: Uint8Array,
  options?: CallOptions,
  operation = "newKeypair",
): Promise<KeypairResult> {
  checkCallOptions(options);
  checkBytes("seed", seed, 32);
  const reply = await ask(session, "newKeypair", { seed: copyBytes(seed) }, { operation, options });
  return {
    writeCap: required(reply.writeCap, "write_cap", operation),
    readCap: required(reply.readCap, "read_cap", operation),
    firstMessageIndex: required(reply.firstMessageIndex, "first_message_index", operation),
  };
}

/** Seals an envelope that reads a box. */
export async function encryptRead(
  session: Session,
  readCap: ReadCap,
  messageBoxIndex: MessageBoxIndex,
  options?: CallOptions,
  operation = "encryptRead",
): Promise<EncryptReadResult> {
  checkCallOptions(options);
  checkReadCap("readCap", readCap);
  checkBoxIndex("messageBoxIndex", messageBoxIndex);
  const box = {
    readCap: ReadCap.from(readCap),
    messageBoxIndex: MessageBoxIndex.from(messageBoxIndex),
  };
  const settings = { operation, options, defaultTimeoutMs: Infinity };
  const reply = await ask(session, "encryptRead", box, settings);
  return { kind: "read", ...box, ...sealed(reply, operation) };
}

/** Seals an envelope that writes a box; without plaintext, a tombstone. */
export async function encryptWrite(
  { session, pigeonholeGeometry }: SizedSession,
  plaintext: PlainBytes,
  writeCap: WriteCap,
  messageBoxIndex: MessageBoxIndex,
  options?: CallOptions,
  operation = "encryptWrite",
): Promise<EncryptWriteResult> {
  checkCallOptions(options);
  checkPlaintext(plaintext, pigeonholeGeometry);
  checkWriteCap("writeCap", writeCap);
  checkBoxIndex("messageBoxIndex", messageBoxIndex);
  const box = {
    writeCap: WriteCap.from(writeCap),
    messageBoxIndex: MessageBoxIndex.from(messageBoxIndex),
  };
  const fields = { ...box, plaintext: copyBytes(plaintext) };
  const settings = { operation, options, defaultTimeoutMs: Infinity };
  const reply = await ask(session, "encryptWrite", fields, settings);
  return { kind: "write", ...box, ...sealed(reply, operation) };
}

/** @throws TypeError; RangeError when a plaintext is longer than what one box holds. */
export function checkPlaintext(plaintext: unknown, geometry: PigeonholeGeometry | null): void {
  checkBytes("plaintext", plaintext);
  const maximum = geometry?.maxPlaintextPayloadLength;
  if (maximum === undefined || plaintext.length <= maximum) return;
  throw new RangeError(
    `\`plaintext\` must be at most ${maximum} bytes, what one box holds, got ` +
      `${plaintext.length}; copy() writes more than one box`,
  );
}

function sealed(
  reply: ReplyTo<"encryptRead"> | ReplyTo<"encryptWrite">,
  operation: string,
): SealedEnvelope {
  return {
    messageCiphertext: requiredBytes(reply.messageCiphertext, "message_ciphertext", operation),
    envelopeDescriptor: requiredBytes(reply.envelopeDescriptor, "envelope_descriptor", operation),
    envelopeHash: required(reply.envelopeHash, "envelope_hash", operation),
    nextMessageBoxIndex: required(reply.nextMessageBoxIndex, "next_message_box_index", operation),
  };
}

const requestFields = [
  "kind",
  "readCap",
  "writeCap",
  "messageBoxIndex",
  "envelopeDescriptor",
  "messageCiphertext",
  "envelopeHash",
  "replyIndex",
  "noRetryOnBoxIdNotFound",
  "noIdempotentBoxAlreadyExists",
  "nextMessageBoxIndex",
  "boxIndex",
];

/** Has an envelope sent, again and again, until its answer is there. */
export async function startResendingEncryptedMessage(
  session: Session,
  request: ReadRequest | WriteRequest,
  options?: CallOptions,
  operation = "startResendingEncryptedMessage",
): Promise<StartResendingResult> {
  checkCallOptions(options);
  const fields = resendFields(request);
  const reply = await session.request("startResendingEncryptedMessage", fields, {
    operation,
    options,
    defaultTimeoutMs: Infinity,
    cancellation: envelopeCancellation(request.envelopeHash, fields.readCap !== null),
  });
  const error = arqErrorFromReply(reply, { operation });
  if (error) throw error;
  return {
    plaintext: fields.readCap
      ? required(reply.plaintext, "plaintext", operation)
      : (reply.plaintext ?? new Uint8Array(0)),
    courierIdentityHash: reply.courierIdentityHash,
    courierQueueId: reply.courierQueueId,
  };
}

/** The same for a write, waiting for the replicas' verdict. */
export async function startResendingEncryptedMessageReturnBoxExists(
  session: Session,
  request: WriteRequest,
  options?: CallOptions,
): Promise<StartResendingResult> {
  const operation = "startResendingEncryptedMessageReturnBoxExists";
  const flagged = { ...request, noIdempotentBoxAlreadyExists: true };
  return startResendingEncryptedMessage(session, flagged, options, operation);
}

/** The same for a read, failing at once when the box holds nothing. */
export async function startResendingEncryptedMessageNoRetry(
  session: Session,
  request: ReadRequest,
  options?: CallOptions,
): Promise<StartResendingResult> {
  const operation = "startResendingEncryptedMessageNoRetry";
  const flagged = { ...request, noRetryOnBoxIdNotFound: true };
  return startResendingEncryptedMessage(session, flagged, options, operation);
}

function resendFields(
  request: ReadRequest | WriteRequest,
): QueryFields<"startResendingEncryptedMessage"> {
  checkOptions("request", request, requestFields);
  const { readCap, writeCap, messageBoxIndex, kind } = request;
  if ((readCap === undefined) === (writeCap === undefined)) {
    throw new TypeError("`request` must have either `readCap` or `writeCap`, and not both");
  }
  const actual = readCap === undefined ? "write" : "read";
  if (kind !== undefined && kind !== actual) {
    throw new TypeError(`\`request.kind\` must be "${actual}" where \`${actual}Cap\` is given`);
  }
  if (readCap === undefined) checkWriteCap("request.writeCap", writeCap);
  else checkReadCap("request.readCap", readCap);
  if (readCap !== undefined || messageBoxIndex !== undefined) {
    checkBoxIndex("request.messageBoxIndex", messageBoxIndex);
  }
  checkSomeBytes("request.envelopeDescriptor", request.envelopeDescriptor);
  checkSomeBytes("request.messageCiphertext", request.messageCiphertext);
  checkBytes("request.envelopeHash", request.envelopeHash, 32);
  const { replyIndex, noRetryOnBoxIdNotFound, noIdempotentBoxAlreadyExists } = request;
  if (replyIndex !== undefined && replyIndex !== null) {
    checkInteger("request.replyIndex", replyIndex, 255);
  }
  checkOwnFlag("noRetryOnBoxIdNotFound", noRetryOnBoxIdNotFound, actual, "read");
  checkOwnFlag("noIdempotentBoxAlreadyExists", noIdempotentBoxAlreadyExists, actual, "write");
  return {
    // Copies: the request may be sent again hours later, after a reconnect.
    readCap: readCap ? copyBytes(readCap) : null,
    writeCap: writeCap ? copyBytes(writeCap) : null,
    messageBoxIndex: messageBoxIndex ? copyBytes(messageBoxIndex) : null,
    replyIndex: replyIndex ?? null,
    envelopeDescriptor: copyBytes(request.envelopeDescriptor) as EnvelopeDescriptor,
    messageCiphertext: copyBytes(request.messageCiphertext),
    envelopeHash: copyBytes(request.envelopeHash),
    noRetryOnBoxIdNotFound: noRetryOnBoxIdNotFound ?? false,
    noIdempotentBoxAlreadyExists: noIdempotentBoxAlreadyExists ?? false,
  };
}

function checkOwnFlag(name: string, value: unknown, actual: string, wanted: string): void {
  checkFlag(`request.${name}`, value, true);
  if (value !== true || actual === wanted) return;
  throw new TypeError(`\`request.${name}\` is for a ${wanted}, and this is a ${actual}`);
}

function envelopeCancellation(envelopeHash: EnvelopeHash, onlyForReply: boolean): Cancellation {
  const kept = copyBytes(envelopeHash);
  return {
    key: `envelope:${toHex(kept)}`,
    onlyForReply,
    request: (queryId) => ({
      kind: "cancelResendingEncryptedMessage",
      queryId,
      envelopeHash: kept,
    }),
  };
}

/** Ends the sending of an envelope; whoever waits for it gets `StartResendingCancelledError`. */
export async function cancelResendingEncryptedMessage(
  session: Session,
  envelopeHash: EnvelopeHash,
  options?: CallOptions,
): Promise<void> {
  const operation = "cancelResendingEncryptedMessage";
  checkCallOptions(options);
  checkBytes("envelopeHash", envelopeHash, 32);
  const cancellation = envelopeCancellation(envelopeHash, false);
  const fields = { envelopeHash: copyBytes(envelopeHash) };
  await cancelOperation(session, cancellation, operation, () =>
    ask(session, operation, fields, { operation, options, failOnLoss: true }),
  );
}

/**
 * Ends an operation. While there is no connection those who wait are told at once, and the daemon
 * as soon as there is one again; whether the daemon has a mixnet does not matter (
 * spec/thin-protocol §10, defect 7).
 * @param askDaemon sends the cancel and waits for its reply.
 */
export async function cancelOperation(
  session: Session,
  cancellation: Cancellation,
  operation: string,
  askDaemon: () => Promise<unknown>,
): Promise<void> {
  const notUsable = session.notUsable(operation);
  if (notUsable) throw notUsable;
  const { endUnsent, endSent } = session.waitingOperations(cancellation.key);
  const cancelled = (started: string): Error =>
    new StartResendingCancelledError(undefined, { operation: started });
  // The cancel frees places: none of these may take one, for the daemon would start it after that.
  endUnsent(cancelled);
  let asked = session.isState("ready");
  if (asked) {
    try {
      await askDaemon();
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
      asked = false;
    }
  }
  // The daemon answered the start with code 24 before it answered the cancel. It does not know a
  // start that still waited in its send schedule, and of two starts of one envelope it knows the
  // second only (spec/thin-protocol §10, defect 18): those end here.
  endSent(cancelled);
  if (!asked) session.cancel(cancellation);
}

/** The box after `messageBoxIndex`. */
export async function nextMessageBoxIndex(
  session: Session,
  messageBoxIndex: MessageBoxIndex,
  options?: CallOptions,
): Promise<MessageBoxIndex> {
  const operation = "nextMessageBoxIndex";
  checkCallOptions(options);
  checkBoxIndex("messageBoxIndex", messageBoxIndex);
  const fields = { messageBoxIndex: copyBytes(messageBoxIndex) as Bytes };
  const reply = await ask(session, operation, fields, { operation, options });
  return required(reply.nextMessageBoxIndex, "next_message_box_index", operation);
}

/** The number of a box in its stream. */
export async function getMessageBoxIndexCounter(
  session: Session,
  messageBoxIndex: MessageBoxIndex,
  options?: CallOptions,
): Promise<bigint> {
  const operation = "getMessageBoxIndexCounter";
  checkCallOptions(options);
  checkBoxIndex("messageBoxIndex", messageBoxIndex);
  const fields = { messageBoxIndex: copyBytes(messageBoxIndex) as Bytes };
  const reply = await ask(session, operation, fields, { operation, options });
  return reply.counter;
}
