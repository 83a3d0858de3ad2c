/**
 * Streams of boxes, and the envelopes that read and write them: how they are made and sent
 * (spec/thin-protocol §4.3 to §4.5). Functions with the name of a public call check and copy their
 * arguments. `makeStream`, `sealRead`, `sealWrite` and `resend` do not; the client's own calls use
 * them.
 */
import { type Bytes, checkBytes, copyBytes, type PlainBytes } from "../bytes/bytes.js";
import {
  type EnvelopeDescriptor,
  EnvelopeHash,
  type IdentityHash,
  MessageBoxIndex,
  ReadCap,
  WriteCap,
  checkReadCap,
  checkWriteCap,
} from "../bytes/opaque.js";
import { checkFlag, checkOptions } from "../bytes/options.js";
import { checkBoxIndex, checkInteger, checkSomeBytes } from "./argument-checks.js";
import { type CallOptions, checkCallOptions } from "./call-options.js";
import { arqErrorFromReply } from "../errors/from-reply.js";
import { envelopeKey } from "../wire/operations.js";
import type { QueryFields, ReplyTo } from "../wire/responses.js";
import type { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import {
  required,
  requiredBytes,
  type Cancellation,
  type RequestSettings,
  type Calls,
} from "./calls.js";

export type { TombstoneEnvelope, TombstoneRangeResult } from "../errors/partial-results.js";

/** A new stream of boxes. */
export interface KeypairResult {
  /** The right to write the stream: 168 bytes. Anyone who has it can also read. */
  readonly writeCap: WriteCap;
  /** The right to read the stream: 136 bytes. Give it to readers. */
  readonly readCap: ReadCap;
  /** The stream's first box: 104 bytes. */
  readonly firstMessageIndex: MessageBoxIndex;
}

/**
 * An envelope as the daemon made it: the part for a courier, and the part that opens the answer.
 */
export interface SealedEnvelope {
  /** The bytes to send. */
  readonly messageCiphertext: Bytes;
  /** The daemon opens the answer with it. It holds a private key: keep it secret. */
  readonly envelopeDescriptor: EnvelopeDescriptor;
  /** Identifies the envelope: 32 bytes. */
  readonly envelopeHash: EnvelopeHash;
  /** The index of the box after this one: 104 bytes. */
  readonly nextMessageBoxIndex: MessageBoxIndex;
}

/** An envelope that reads a box. Pass it to `startResendingEncryptedMessage` unchanged. */
export interface EncryptReadResult extends SealedEnvelope {
  /** Distinguishes it from an {@link EncryptWriteResult}. */
  readonly kind: "read";
  /** A copy of the capability it was made with: 136 bytes. */
  readonly readCap: ReadCap;
  /** The box that it reads: 104 bytes. */
  readonly messageBoxIndex: MessageBoxIndex;
}

/** An envelope that writes a box. Pass it to `startResendingEncryptedMessage` unchanged. */
export interface EncryptWriteResult extends SealedEnvelope {
  /** Distinguishes it from an {@link EncryptReadResult}. */
  readonly kind: "write";
  /** A copy of the capability it was made with: 168 bytes. */
  readonly writeCap: WriteCap;
  /** The box that it writes: 104 bytes. */
  readonly messageBoxIndex: MessageBoxIndex;
}

interface ResendRequest {
  /** At least 1 byte, exactly as the encrypt call returned it: nothing else opens the answer. */
  readonly envelopeDescriptor: EnvelopeDescriptor;
  /** At least 1 byte. */
  readonly messageCiphertext: PlainBytes;
  /**
   * 32 bytes: the operation's name for cancels. Daemons do not compare it with the ciphertext
   * (spec/thin-protocol §4.4).
   */
  readonly envelopeHash: EnvelopeHash;
  /** 0 to 255; daemons accept and ignore it. */
  readonly replyIndex?: number | null | undefined;
  /** Allowed because an encrypt result has it; ignored. */
  readonly nextMessageBoxIndex?: MessageBoxIndex | undefined;
  /** Allowed because a tombstone of a range has it; ignored. */
  readonly boxIndex?: MessageBoxIndex | undefined;
}

/** An envelope to send until the box is read. */
export interface ReadRequest extends ResendRequest {
  /** Optional, because `readCap` already tells. A `kind` that contradicts it is a TypeError. */
  readonly kind?: "read" | undefined;
  /** 136 bytes. It makes the request a read, and the daemon opens the box with it. */
  readonly readCap: ReadCap;
  /**
   * 104 bytes: the index that the envelope was made for. Any other ends in
   * BACAPDecryptionFailedError.
   */
  readonly messageBoxIndex: MessageBoxIndex;
  /** Whether an empty box is an error (`BoxIDNotFoundError`). By default the daemon asks again. */
  readonly noRetryOnBoxIdNotFound?: boolean | undefined;
  /** Absent or null in a read: a request with both capabilities is a TypeError. */
  readonly writeCap?: null | undefined;
  /** Only for writes; `true` in a read is a TypeError. */
  readonly noIdempotentBoxAlreadyExists?: false | undefined;
}

/** An envelope to send until the box is written. */
export interface WriteRequest extends ResendRequest {
  /** Optional, because `writeCap` already tells. A `kind` that contradicts it is a TypeError. */
  readonly kind?: "write" | undefined;
  /**
   * 168 bytes. It only makes the request a write; the envelope is already signed
   * (spec/thin-protocol §4.4).
   */
  readonly writeCap: WriteCap;
  /** 104 bytes, absent or null; daemons ignore it in a write. */
  readonly messageBoxIndex?: MessageBoxIndex | null | undefined;
  /**
   * Whether to wait for the replicas' answer, so that a box that holds something else is an error
   * (`BoxAlreadyExistsError`). Without it a courier's receipt counts as success.
   */
  readonly noIdempotentBoxAlreadyExists?: boolean | undefined;
  /** Absent or null in a write: a request with both capabilities is a TypeError. */
  readonly readCap?: null | undefined;
  /** Only for reads; `true` in a write is a TypeError. */
  readonly noRetryOnBoxIdNotFound?: false | undefined;
}

/** The result of sending an envelope. */
export interface StartResendingResult {
  /** The content of the box; empty for a write. */
  readonly plaintext: Bytes;
  /** The node of the courier that answered: 32 bytes; null if the daemon does not say. */
  readonly courierIdentityHash: IdentityHash | null;
  /** The courier's endpoint on that node; null if the daemon does not say. */
  readonly courierQueueId: Bytes | null;
}

/** The calls of a session, and the sizes that the daemon sent; null before the first handshake. */
export interface SizedCalls {
  readonly calls: Calls;
  readonly pigeonholeGeometry: PigeonholeGeometry | null;
}

/** Which call makes the request, and its options. */
export type Asking = Pick<RequestSettings, "operation" | "options">;

/** Makes a new stream from 32 random bytes; the same seed gives the same stream. */
export async function newKeypair(
  calls: Calls,
  seed: Uint8Array,
  options?: CallOptions,
): Promise<KeypairResult> {
  checkCallOptions(options);
  checkBytes("seed", seed, 32);
  return makeStream(calls, copyBytes(seed), { operation: "newKeypair", options });
}

/** {@link newKeypair} without checks. */
export async function makeStream(
  calls: Calls,
  seed: Bytes,
  asking: Asking,
): Promise<KeypairResult> {
  const { operation } = asking;
  const reply = await calls.ask("newKeypair", { seed }, asking);
  return {
    writeCap: required(reply.writeCap, "write_cap", operation),
    readCap: required(reply.readCap, "read_cap", operation),
    firstMessageIndex: required(reply.firstMessageIndex, "first_message_index", operation),
  };
}

/** Seals an envelope that reads a box. */
export async function encryptRead(
  calls: Calls,
  readCap: ReadCap,
  messageBoxIndex: MessageBoxIndex,
  options?: CallOptions,
): Promise<EncryptReadResult> {
  checkCallOptions(options);
  checkReadCap("readCap", readCap);
  checkBoxIndex("messageBoxIndex", messageBoxIndex);
  const box = {
    readCap: ReadCap.from(readCap),
    messageBoxIndex: MessageBoxIndex.from(messageBoxIndex),
  };
  return sealRead(calls, box, { operation: "encryptRead", options });
}

/** {@link encryptRead} without checks. */
export async function sealRead(
  calls: Calls,
  box: { readonly readCap: ReadCap; readonly messageBoxIndex: MessageBoxIndex },
  asking: Asking,
): Promise<EncryptReadResult> {
  const reply = await calls.ask("encryptRead", box, { ...asking, defaultTimeoutMs: Infinity });
  return { kind: "read", ...box, ...sealed(reply, asking.operation) };
}

/** Seals an envelope that writes a box; with an empty plaintext, a tombstone. */
export async function encryptWrite(
  { calls, pigeonholeGeometry }: SizedCalls,
  plaintext: PlainBytes,
  writeCap: WriteCap,
  messageBoxIndex: MessageBoxIndex,
  options?: CallOptions,
): Promise<EncryptWriteResult> {
  checkCallOptions(options);
  checkPlaintext(plaintext, pigeonholeGeometry);
  checkWriteCap("writeCap", writeCap);
  checkBoxIndex("messageBoxIndex", messageBoxIndex);
  const box = {
    writeCap: WriteCap.from(writeCap),
    messageBoxIndex: MessageBoxIndex.from(messageBoxIndex),
  };
  return sealWrite(calls, box, copyBytes(plaintext), { operation: "encryptWrite", options });
}

/** {@link encryptWrite} without checks. */
export async function sealWrite(
  calls: Calls,
  box: { readonly writeCap: WriteCap; readonly messageBoxIndex: MessageBoxIndex },
  plaintext: PlainBytes,
  asking: Asking,
): Promise<EncryptWriteResult> {
  const fields = { ...box, plaintext: plaintext as Bytes };
  const settings = { ...asking, defaultTimeoutMs: Infinity };
  const reply = await calls.ask("encryptWrite", fields, settings);
  return { kind: "write", ...box, ...sealed(reply, asking.operation) };
}

/** @throws TypeError; RangeError when the plaintext does not fit into one box. */
export function checkPlaintext(plaintext: unknown, geometry: PigeonholeGeometry | null): void {
  checkBytes("plaintext", plaintext);
  const maximum = geometry?.maxPlaintextPayloadLength;
  if (maximum === undefined || plaintext.length <= maximum) return;
  throw new RangeError(
    `\`plaintext\` must be at most ${maximum} bytes, the capacity of one box, got ` +
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

/** Has the daemon send an envelope again and again until the answer arrives. */
export async function startResendingEncryptedMessage(
  calls: Calls,
  request: ReadRequest | WriteRequest,
  options?: CallOptions,
  operation = "startResendingEncryptedMessage",
): Promise<StartResendingResult> {
  checkCallOptions(options);
  checkRequest(request);
  // Copied, because it may be sent again hours later, after a reconnect.
  return resend(calls, copyOf(resendFields(request)), { operation, options });
}

/** {@link startResendingEncryptedMessage} without checks. */
export async function resend(
  calls: Calls,
  fields: ResendFields,
  asking: Asking,
): Promise<StartResendingResult> {
  const { operation } = asking;
  const isRead = fields.readCap !== null;
  const reply = await calls.request("startResendingEncryptedMessage", fields, {
    ...asking,
    defaultTimeoutMs: Infinity,
    cancellation: envelopeCancellation(fields.envelopeHash, isRead),
  });
  const error = arqErrorFromReply(reply, { operation });
  if (error) throw error;
  return {
    plaintext: isRead
      ? required(reply.plaintext, "plaintext", operation)
      : (reply.plaintext ?? new Uint8Array(0)),
    courierIdentityHash: reply.courierIdentityHash,
    courierQueueId: reply.courierQueueId,
  };
}

/** {@link startResendingEncryptedMessage} for a write that waits for the replicas' answer. */
export async function startResendingEncryptedMessageReturnBoxExists(
  calls: Calls,
  request: WriteRequest,
  options?: CallOptions,
): Promise<StartResendingResult> {
  const operation = "startResendingEncryptedMessageReturnBoxExists";
  const flagged = { ...request, noIdempotentBoxAlreadyExists: true };
  return startResendingEncryptedMessage(calls, flagged, options, operation);
}

/** {@link startResendingEncryptedMessage} for a read that fails at once if the box is empty. */
export async function startResendingEncryptedMessageNoRetry(
  calls: Calls,
  request: ReadRequest,
  options?: CallOptions,
): Promise<StartResendingResult> {
  const operation = "startResendingEncryptedMessageNoRetry";
  const flagged = { ...request, noRetryOnBoxIdNotFound: true };
  return startResendingEncryptedMessage(calls, flagged, options, operation);
}

function checkRequest(request: ReadRequest | WriteRequest): void {
  checkOptions("request", request, requestFields);
  const { kind, messageBoxIndex } = request;
  const readCap = request.readCap ?? null;
  const writeCap = request.writeCap ?? null;
  if ((readCap === null) === (writeCap === null)) {
    throw new TypeError("`request` must have either `readCap` or `writeCap`, and not both");
  }
  const actual = readCap === null ? "write" : "read";
  if (kind !== undefined && kind !== actual) {
    throw new TypeError(`\`request.kind\` must be "${actual}" where \`${actual}Cap\` is given`);
  }
  if (readCap === null) checkWriteCap("request.writeCap", writeCap);
  else checkReadCap("request.readCap", readCap);
  if (readCap !== null || (messageBoxIndex !== undefined && messageBoxIndex !== null)) {
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
}

type ResendFields = QueryFields<"startResendingEncryptedMessage"> & {
  readonly envelopeHash: EnvelopeHash;
};

/** The fields of a request that are sent. */
export function resendFields(request: ReadRequest | WriteRequest): ResendFields {
  return {
    readCap: request.readCap ?? null,
    writeCap: request.writeCap ?? null,
    messageBoxIndex: request.messageBoxIndex ?? null,
    replyIndex: request.replyIndex ?? null,
    envelopeDescriptor: request.envelopeDescriptor,
    messageCiphertext: request.messageCiphertext as Bytes,
    envelopeHash: request.envelopeHash,
    noRetryOnBoxIdNotFound: request.noRetryOnBoxIdNotFound ?? false,
    noIdempotentBoxAlreadyExists: request.noIdempotentBoxAlreadyExists ?? false,
  };
}

function copyOf(fields: ResendFields): ResendFields {
  const copy = <T extends Uint8Array>(bytes: T | null): T | null =>
    bytes && (copyBytes(bytes) as Uint8Array as T);
  return {
    ...fields,
    readCap: copy(fields.readCap),
    writeCap: copy(fields.writeCap),
    messageBoxIndex: copy(fields.messageBoxIndex),
    envelopeDescriptor: copy(fields.envelopeDescriptor),
    messageCiphertext: copy(fields.messageCiphertext),
    envelopeHash: EnvelopeHash.from(fields.envelopeHash),
  };
}

function checkOwnFlag(name: string, value: unknown, actual: string, wanted: string): void {
  checkFlag(`request.${name}`, value, true);
  if (value !== true || actual === wanted) return;
  throw new TypeError(`\`request.${name}\` is for a ${wanted}, and this is a ${actual}`);
}

function envelopeCancellation(envelopeHash: EnvelopeHash, onlyForReply: boolean): Cancellation {
  return {
    key: envelopeKey(envelopeHash),
    onlyForReply,
    request: (queryId) => ({
      kind: "cancelResendingEncryptedMessage",
      queryId,
      envelopeHash,
    }),
  };
}

/** Ends the sending of an envelope; callers who wait for it get `StartResendingCancelledError`. */
export async function cancelResendingEncryptedMessage(
  calls: Calls,
  envelopeHash: EnvelopeHash,
  options?: CallOptions,
): Promise<void> {
  const operation = "cancelResendingEncryptedMessage";
  checkCallOptions(options);
  checkBytes("envelopeHash", envelopeHash, 32);
  const fields = { envelopeHash: EnvelopeHash.from(envelopeHash) };
  const cancellation = envelopeCancellation(fields.envelopeHash, false);
  await calls.cancel(cancellation, operation, () =>
    calls.ask(operation, fields, { operation, options, failOnLoss: true }),
  );
}

/** The box after `messageBoxIndex`. */
export async function nextMessageBoxIndex(
  calls: Calls,
  messageBoxIndex: MessageBoxIndex,
  options?: CallOptions,
): Promise<MessageBoxIndex> {
  const operation = "nextMessageBoxIndex";
  checkCallOptions(options);
  checkBoxIndex("messageBoxIndex", messageBoxIndex);
  const fields = { messageBoxIndex: copyBytes(messageBoxIndex) as Bytes };
  const reply = await calls.ask(operation, fields, { operation, options });
  return required(reply.nextMessageBoxIndex, "next_message_box_index", operation);
}

/** The number of a box in its stream. */
export async function getMessageBoxIndexCounter(
  calls: Calls,
  messageBoxIndex: MessageBoxIndex,
  options?: CallOptions,
): Promise<bigint> {
  const operation = "getMessageBoxIndexCounter";
  checkCallOptions(options);
  checkBoxIndex("messageBoxIndex", messageBoxIndex);
  const fields = { messageBoxIndex: copyBytes(messageBoxIndex) as Bytes };
  const reply = await calls.ask(operation, fields, { operation, options });
  return reply.counter;
}
