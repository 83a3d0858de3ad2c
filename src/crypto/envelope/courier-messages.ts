/** Messages between client and courier. spec/pigeonhole §5. */
import { type Bytes, copyBytes, concatBytes } from "../../bytes/bytes.js";
import type { EnvelopeHash } from "../../bytes/opaque.js";
import { ProtocolError } from "../../errors/errors.js";
import { hash256 } from "../../bytes/hash.js";
import { MKEM_DEK_LENGTH } from "../mkem/mkem.js";
import { FieldReader, FieldWriter, UNKNOWN_TYPE_TEXT } from "./fixed-layout.js";

/** Verdicts of a courier on an envelope. */
export const CourierErrorCode = {
  SUCCESS: 0,
  INVALID_ENVELOPE: 1,
  CACHE_CORRUPTION: 2,
  PROPAGATION_ERROR: 3,
  INVALID_EPOCH: 4,
} as const;

/** How far a copy command has come. */
export const CopyStatus = { SUCCEEDED: 0, IN_PROGRESS: 1, FAILED: 2 } as const;

/** A message to two replicas, in the hands of a courier. */
export interface CourierEnvelope {
  /** Static ids (0 to 255) of the two intermediate replicas. */
  readonly intermediateReplicas: readonly [number, number];
  /** Sealed message keys (60 bytes each) of the two, in the same order. */
  readonly deks: readonly [Uint8Array, Uint8Array];
  /** Whose reply is wanted: 0 or 1; others travel, and are an error at the courier. */
  readonly replyIndex: number;
  /** Replica epoch of the keys used: unsigned 64 bits. */
  readonly epoch: bigint;
  /** Ephemeral NIKE public key, at most 65,535 bytes. */
  readonly senderPublicKey: Uint8Array;
  /** The MKEM envelope. */
  readonly ciphertext: Uint8Array;
}

/** What a client asks a courier. */
export type CourierQuery =
  | { readonly kind: "envelope"; readonly envelope: CourierEnvelope }
  /** Copy the stream that this capability (168 bytes, not checked here) leads to. */
  | { readonly kind: "copy"; readonly writeCap: Uint8Array };

/** A courier's answer to an envelope. */
export interface CourierEnvelopeReply {
  /** Which envelope, 32 bytes. */
  readonly envelopeHash: Uint8Array;
  /** Whose reply this is: 0 or 1. */
  readonly replyIndex: number;
  /** `ack`: taken, no reply yet. `payload`: a replica's reply. */
  readonly replyType: "ack" | "payload";
  /** The sealed reply of a replica; empty in an ACK. */
  readonly payload: Uint8Array;
  /** One of {@link CourierErrorCode}. */
  readonly errorCode: number;
}

/** A courier's answer to a copy command. */
export interface CopyCommandReply {
  /** One of {@link CopyStatus}; not range checked. */
  readonly status: number;
  /** The replica's code when it failed. */
  readonly errorCode: number;
  /** 1-based place of the failing envelope; 0 when that does not apply. Unsigned 64 bits. */
  readonly failedEnvelopeIndex: bigint;
}

/** A courier's answer. */
export type CourierQueryReply =
  | { readonly kind: "envelope"; readonly reply: CourierEnvelopeReply }
  | { readonly kind: "copy"; readonly reply: CopyCommandReply };

const envelopeType = 0;
const copyType = 1;
const replyTypes = ["ack", "payload"] as const;

function writeCourierEnvelope(writer: FieldWriter, envelope: CourierEnvelope): FieldWriter {
  return writer
    .u8("intermediateReplicas[0]", envelope.intermediateReplicas[0])
    .u8("intermediateReplicas[1]", envelope.intermediateReplicas[1])
    .bytes("deks[0]", envelope.deks[0], MKEM_DEK_LENGTH)
    .bytes("deks[1]", envelope.deks[1], MKEM_DEK_LENGTH)
    .u8("replyIndex", envelope.replyIndex)
    .u64("epoch", envelope.epoch)
    .u16("senderPublicKey.length", envelope.senderPublicKey.length)
    .bytes("senderPublicKey", envelope.senderPublicKey)
    .prefixed("ciphertext", envelope.ciphertext);
}

function readCourierEnvelope(reader: FieldReader) {
  return {
    intermediateReplicas: [reader.u8(), reader.u8()] as [number, number],
    deks: [reader.take(MKEM_DEK_LENGTH), reader.take(MKEM_DEK_LENGTH)] as [Bytes, Bytes],
    replyIndex: reader.u8(),
    epoch: reader.u64(),
    senderPublicKey: reader.take(reader.u16()),
    ciphertext: reader.take(reader.u32()),
  };
}

function readCopyCommand(reader: FieldReader) {
  return { writeCap: reader.take(reader.u32()) };
}

function writeEnvelopeReply(writer: FieldWriter, reply: CourierEnvelopeReply): FieldWriter {
  const replyType = replyTypes.indexOf(reply.replyType);
  if (replyType < 0) throw new RangeError(`\`replyType\`: ${UNKNOWN_TYPE_TEXT}`);
  return writer
    .bytes("envelopeHash", reply.envelopeHash, 32)
    .u8("replyIndex", reply.replyIndex)
    .u8("replyType", replyType)
    .prefixed("payload", reply.payload)
    .u8("errorCode", reply.errorCode);
}

function readEnvelopeReply(reader: FieldReader) {
  const envelopeHash = reader.take(32) as EnvelopeHash;
  const replyIndex = reader.u8();
  const replyType = replyTypes[reader.u8()];
  if (replyType === undefined) throw new ProtocolError(UNKNOWN_TYPE_TEXT);
  return {
    envelopeHash,
    replyIndex,
    replyType,
    payload: reader.take(reader.u32()),
    errorCode: reader.u8(),
  };
}

function writeCopyReply(writer: FieldWriter, reply: CopyCommandReply): FieldWriter {
  return writer
    .u8("status", reply.status)
    .u8("errorCode", reply.errorCode)
    .u64("failedEnvelopeIndex", reply.failedEnvelopeIndex);
}

function readCopyReply(reader: FieldReader) {
  return { status: reader.u8(), errorCode: reader.u8(), failedEnvelopeIndex: reader.u64() };
}

/** Bytes of a courier envelope. @throws TypeError, RangeError on fields that do not fit. */
export function encodeCourierEnvelope(envelope: CourierEnvelope): Bytes {
  return writeCourierEnvelope(new FieldWriter(), envelope).finish();
}

/** Reads a courier envelope. @throws ProtocolError `data too short`. */
export function decodeCourierEnvelope(bytes: Uint8Array) {
  return readCourierEnvelope(new FieldReader(bytes));
}

/** Length in bytes of a courier envelope, serialized. */
export function courierEnvelopeLength(
  envelope: Pick<CourierEnvelope, "senderPublicKey" | "ciphertext">,
): number {
  return 137 + envelope.senderPublicKey.length + envelope.ciphertext.length;
}

/** Bytes of a copy command alone. @throws TypeError when `writeCap` is not a Uint8Array. */
export function encodeCopyCommand(writeCap: Uint8Array): Bytes {
  return new FieldWriter().prefixed("writeCap", writeCap).finish();
}

/** Reads a copy command. The capability is not checked. @throws ProtocolError `data too short`. */
export function decodeCopyCommand(bytes: Uint8Array) {
  return readCopyCommand(new FieldReader(bytes));
}

/** Bytes of a query. @throws TypeError, RangeError on fields that do not fit. */
export function encodeCourierQuery(query: CourierQuery): Bytes {
  const writer = new FieldWriter();
  switch (query.kind) {
    case "envelope":
      return writeCourierEnvelope(writer.u8("type", envelopeType), query.envelope).finish();
    case "copy":
      return writer.u8("type", copyType).prefixed("writeCap", query.writeCap).finish();
    default:
      throw new RangeError(`\`query.kind\`: ${UNKNOWN_TYPE_TEXT}`);
  }
}

/** Where an envelope's reply index is in a query: after type, replica ids and DEKs. */
const replyIndexOffset = 1 + 2 + 2 * MKEM_DEK_LENGTH;

/**
 * A copy of a query that asks for another reply of its envelope: 0 or 1, the place of the replica.
 * The envelope's hash does not change. What is no envelope, or is too short to have an index, is
 * copied as it is.
 * @throws RangeError when `replyIndex` does not fit one byte.
 */
export function askingForReply(query: Uint8Array, replyIndex: number): Bytes {
  const copy = copyBytes(query);
  const index = new FieldWriter().u8("replyIndex", replyIndex).finish();
  if (copy[0] === envelopeType && copy.length > replyIndexOffset) copy.set(index, replyIndexOffset);
  return copy;
}

/** Reads a query. @throws ProtocolError `data too short`, `integer constraint violated`. */
export function decodeCourierQuery(bytes: Uint8Array) {
  const reader = new FieldReader(bytes);
  switch (reader.u8()) {
    case envelopeType:
      return { kind: "envelope" as const, envelope: readCourierEnvelope(reader) };
    case copyType:
      return { kind: "copy" as const, ...readCopyCommand(reader) };
    default:
      throw new ProtocolError(UNKNOWN_TYPE_TEXT);
  }
}

/** Bytes of an envelope reply alone. @throws TypeError, RangeError on fields that do not fit. */
export function encodeCourierEnvelopeReply(reply: CourierEnvelopeReply): Bytes {
  return writeEnvelopeReply(new FieldWriter(), reply).finish();
}

/** Reads an envelope reply. @throws ProtocolError as {@link decodeCourierQueryReply}. */
export function decodeCourierEnvelopeReply(bytes: Uint8Array) {
  return readEnvelopeReply(new FieldReader(bytes));
}

/** Bytes of a copy reply alone. @throws TypeError, RangeError on fields that do not fit. */
export function encodeCopyCommandReply(reply: CopyCommandReply): Bytes {
  return writeCopyReply(new FieldWriter(), reply).finish();
}

/** Reads a copy reply. @throws ProtocolError `data too short`. */
export function decodeCopyCommandReply(bytes: Uint8Array) {
  return readCopyReply(new FieldReader(bytes));
}

/** Bytes of a courier's answer. @throws TypeError, RangeError on fields that do not fit. */
export function encodeCourierQueryReply(reply: CourierQueryReply): Bytes {
  const writer = new FieldWriter();
  switch (reply.kind) {
    case "envelope":
      return writeEnvelopeReply(writer.u8("type", envelopeType), reply.reply).finish();
    case "copy":
      return writeCopyReply(writer.u8("type", copyType), reply.reply).finish();
    default:
      throw new RangeError(`\`reply.kind\`: ${UNKNOWN_TYPE_TEXT}`);
  }
}

/**
 * Reads a courier's answer.
 * @throws ProtocolError `data too short`, `integer constraint violated`.
 */
export function decodeCourierQueryReply(bytes: Uint8Array) {
  const reader = new FieldReader(bytes);
  switch (reader.u8()) {
    case envelopeType:
      return { kind: "envelope" as const, reply: readEnvelopeReply(reader) };
    case copyType:
      return { kind: "copy" as const, reply: readCopyReply(reader) };
    default:
      throw new ProtocolError(UNKNOWN_TYPE_TEXT);
  }
}

/**
 * Name (32 bytes) of an envelope: BLAKE2b-256 of sender key and ciphertext. Neither DEKs, epoch,
 * ids nor the reply index count, so courier and replica compute the same.
 */
export function envelopeHashOf(envelope: {
  readonly senderPublicKey: Uint8Array;
  readonly ciphertext: Uint8Array;
}): EnvelopeHash {
  return hash256(concatBytes(envelope.senderPublicKey, envelope.ciphertext)) as EnvelopeHash;
}
