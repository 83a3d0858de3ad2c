/** Messages between client and courier. spec/pigeonhole §5. */
import { type Bytes, copyBytes } from "../../bytes/bytes.js";
import type { EnvelopeHash } from "../../bytes/opaque.js";
import { ProtocolError } from "../../errors/errors.js";
import { hash256 } from "../../bytes/hash.js";
import { MKEM_DEK_LENGTH } from "../mkem/mkem.js";
import { FieldReader, FieldWriter, UNKNOWN_TYPE_TEXT } from "./fixed-layout.js";

/** A courier's results for an envelope. */
export const CourierErrorCode = {
  SUCCESS: 0,
  INVALID_ENVELOPE: 1,
  CACHE_CORRUPTION: 2,
  PROPAGATION_ERROR: 3,
  INVALID_EPOCH: 4,
} as const;

/** The progress of a copy command. */
export const CopyStatus = { SUCCEEDED: 0, IN_PROGRESS: 1, FAILED: 2 } as const;

/** A message to two replicas, in the form for a courier. */
export interface CourierEnvelope {
  /** Static IDs (0 to 255) of the two intermediate replicas. */
  readonly intermediateReplicas: readonly [number, number];
  /** Sealed message keys (60 bytes each) of the two, in the same order. */
  readonly deks: readonly [Uint8Array, Uint8Array];
  /**
   * Which reply is wanted: 0 or 1. Other values can be encoded, but are an error at the courier.
   */
  readonly replyIndex: number;
  /** Replica epoch of the keys used: unsigned 64 bits. */
  readonly epoch: bigint;
  /** Ephemeral NIKE public key, at most 65,535 bytes. */
  readonly senderPublicKey: Uint8Array;
  /** The MKEM envelope. */
  readonly ciphertext: Uint8Array;
}

/** A client's query to a courier. */
export type CourierQuery =
  | { readonly kind: "envelope"; readonly envelope: CourierEnvelope }
  /** Copy the stream of this capability (168 bytes, not checked here). */
  | { readonly kind: "copy"; readonly writeCap: Uint8Array };

/** A courier's answer to an envelope. */
export interface CourierEnvelopeReply {
  /** Hash of the envelope, 32 bytes. */
  readonly envelopeHash: Uint8Array;
  /** Which replica replied: 0 or 1. */
  readonly replyIndex: number;
  /** `ack`: accepted, no reply yet. `payload`: a replica's reply. */
  readonly replyType: "ack" | "payload";
  /** The sealed reply of a replica; empty in an ACK. */
  readonly payload: Uint8Array;
  /** One of {@link CourierErrorCode}. */
  readonly errorCode: number;
}

/** A courier's answer to a copy command. */
export interface CopyCommandReply {
  /** One of {@link CopyStatus}; the range is not checked. */
  readonly status: number;
  /** The replica's code if it failed. */
  readonly errorCode: number;
  /** 1-based index of the failed envelope; 0 if it does not apply. Unsigned 64 bits. */
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

/** Encodes a courier envelope. @throws TypeError, RangeError for fields that do not fit. */
export function encodeCourierEnvelope(envelope: CourierEnvelope): Bytes {
  return writeCourierEnvelope(new FieldWriter(), envelope).finish();
}

/** Reads a courier envelope. @throws ProtocolError `data too short`. */
export function decodeCourierEnvelope(bytes: Uint8Array) {
  return readCourierEnvelope(new FieldReader(bytes));
}

/** Length in bytes of a serialized courier envelope. */
export function courierEnvelopeLength(
  envelope: Pick<CourierEnvelope, "senderPublicKey" | "ciphertext">,
): number {
  return 137 + envelope.senderPublicKey.length + envelope.ciphertext.length;
}

/**
 * Encodes a copy command without a query. @throws TypeError when `writeCap` is not a Uint8Array.
 */
export function encodeCopyCommand(writeCap: Uint8Array): Bytes {
  return new FieldWriter().prefixed("writeCap", writeCap).finish();
}

/** Reads a copy command. The capability is not checked. @throws ProtocolError `data too short`. */
export function decodeCopyCommand(bytes: Uint8Array) {
  return readCopyCommand(new FieldReader(bytes));
}

/** Encodes a query. @throws TypeError, RangeError for fields that do not fit. */
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

/** Offset of the reply index of an envelope in a query: after type, replica IDs and DEKs. */
const replyIndexOffset = 1 + 2 + 2 * MKEM_DEK_LENGTH;

/**
 * A copy of a query that asks for another reply to its envelope: 0 or 1, the index of the replica.
 * The envelope's hash does not change. A query without an envelope, or too short for an index, is
 * copied unchanged.
 * @throws RangeError when `replyIndex` does not fit into one byte.
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

/**
 * Encodes an envelope reply without a query reply. @throws TypeError, RangeError for fields that do
 * not fit.
 */
export function encodeCourierEnvelopeReply(reply: CourierEnvelopeReply): Bytes {
  return writeEnvelopeReply(new FieldWriter(), reply).finish();
}

/** Reads an envelope reply. @throws ProtocolError as {@link decodeCourierQueryReply}. */
export function decodeCourierEnvelopeReply(bytes: Uint8Array) {
  return readEnvelopeReply(new FieldReader(bytes));
}

/**
 * Encodes a copy reply without a query reply. @throws TypeError, RangeError for fields that do not
 * fit.
 */
export function encodeCopyCommandReply(reply: CopyCommandReply): Bytes {
  return writeCopyReply(new FieldWriter(), reply).finish();
}

/** Reads a copy reply. @throws ProtocolError `data too short`. */
export function decodeCopyCommandReply(bytes: Uint8Array) {
  return readCopyReply(new FieldReader(bytes));
}

/** Encodes a courier's answer. @throws TypeError, RangeError for fields that do not fit. */
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
 * Hash (32 bytes) of an envelope: BLAKE2b-256 of sender key and ciphertext. DEKs, epoch, IDs and
 * reply index are not included, so courier and replica compute the same hash.
 */
export function envelopeHashOf(envelope: {
  readonly senderPublicKey: Uint8Array;
  readonly ciphertext: Uint8Array;
}): EnvelopeHash {
  return hash256(envelope.senderPublicKey, envelope.ciphertext) as EnvelopeHash;
}
