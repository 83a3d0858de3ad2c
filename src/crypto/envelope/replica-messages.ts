/** Messages between client and replica, inside envelopes, and boxes. spec/pigeonhole §5. */
import type { Bytes } from "../../bytes/bytes.js";
import { ProtocolError } from "../../errors/errors.js";
import { BOX_ID_LENGTH, BOX_SIGNATURE_LENGTH } from "../../bacap/box.js";
import { FieldReader, FieldWriter, UNKNOWN_TYPE_TEXT } from "./fixed-layout.js";

/** A client's message to a replica. */
export type ReplicaInnerMessage = ReplicaReadMessage | ReplicaWriteMessage;

/** Reads a box. */
export interface ReplicaReadMessage {
  readonly kind: "read";
  /** 32 bytes. */
  readonly boxId: Uint8Array;
}

/** A box with its signature. */
export interface SignedBox {
  /** 32 bytes. */
  readonly boxId: Uint8Array;
  /** 64 bytes, over the payload. */
  readonly signature: Uint8Array;
  /** Ciphertext of the box; empty for a tombstone. */
  readonly payload: Uint8Array;
}

/** Writes a box. */
export interface ReplicaWriteMessage extends SignedBox {
  readonly kind: "write";
}

/** A replica's answer to a client. */
export type ReplicaReplyMessage = ReplicaReadReply | ReplicaWriteReply;

/** Answer to a read. Fields that do not apply are zeros or empty. */
export interface ReplicaReadReply extends SignedBox {
  readonly kind: "read";
  /** One of the replica's codes. */
  readonly errorCode: number;
}

/** Answer to a write. */
export interface ReplicaWriteReply {
  readonly kind: "write";
  /** One of the replica's codes. */
  readonly errorCode: number;
}

const readType = 0;
const writeType = 1;

function writeSignedBox(writer: FieldWriter, box: SignedBox): FieldWriter {
  return writer
    .bytes("boxId", box.boxId, BOX_ID_LENGTH)
    .bytes("signature", box.signature, BOX_SIGNATURE_LENGTH)
    .prefixed("payload", box.payload);
}

function readSignedBox(reader: FieldReader) {
  return {
    boxId: reader.take(BOX_ID_LENGTH),
    signature: reader.take(BOX_SIGNATURE_LENGTH),
    payload: reader.take(reader.u32()),
  };
}

/**
 * Encodes a ReplicaRead without a type. @throws TypeError, RangeError unless `boxId` is 32 bytes.
 */
export function encodeReplicaRead(boxId: Uint8Array): Bytes {
  return new FieldWriter().bytes("boxId", boxId, BOX_ID_LENGTH).finish();
}

/** Reads a ReplicaRead. @throws ProtocolError `data too short`. */
export function decodeReplicaRead(bytes: Uint8Array) {
  return { boxId: new FieldReader(bytes).take(BOX_ID_LENGTH) };
}

/** Encodes a ReplicaWrite without a type. @throws TypeError, RangeError for wrong lengths. */
export function encodeReplicaWrite(box: SignedBox): Bytes {
  return writeSignedBox(new FieldWriter(), box).finish();
}

/** Reads a ReplicaWrite. @throws ProtocolError `data too short`. */
export function decodeReplicaWrite(bytes: Uint8Array) {
  return readSignedBox(new FieldReader(bytes));
}

/** Encodes a message to a replica. @throws TypeError, RangeError for wrong lengths. */
export function encodeReplicaInnerMessage(message: ReplicaInnerMessage): Bytes {
  const writer = new FieldWriter();
  switch (message.kind) {
    case "read":
      return writer.u8("type", readType).bytes("boxId", message.boxId, BOX_ID_LENGTH).finish();
    case "write":
      return writeSignedBox(writer.u8("type", writeType), message).finish();
    default:
      throw new RangeError(`\`message.kind\`: ${UNKNOWN_TYPE_TEXT}`);
  }
}

/**
 * Reads a message to a replica.
 * @throws ProtocolError `data too short`, `integer constraint violated`.
 */
export function decodeReplicaInnerMessage(bytes: Uint8Array) {
  const reader = new FieldReader(bytes);
  switch (reader.u8()) {
    case readType:
      return { kind: "read" as const, boxId: reader.take(BOX_ID_LENGTH) };
    case writeType:
      return { kind: "write" as const, ...readSignedBox(reader) };
    default:
      throw new ProtocolError(UNKNOWN_TYPE_TEXT);
  }
}

function writeReadReply(writer: FieldWriter, reply: Omit<ReplicaReadReply, "kind">): FieldWriter {
  return writeSignedBox(writer.u8("errorCode", reply.errorCode), reply);
}

function readReadReply(reader: FieldReader) {
  return { errorCode: reader.u8(), ...readSignedBox(reader) };
}

/** Encodes a ReplicaReadReply without a type. @throws TypeError, RangeError for wrong lengths. */
export function encodeReplicaReadReply(reply: Omit<ReplicaReadReply, "kind">): Bytes {
  return writeReadReply(new FieldWriter(), reply).finish();
}

/** Reads a ReplicaReadReply. @throws ProtocolError `data too short`. */
export function decodeReplicaReadReply(bytes: Uint8Array) {
  return readReadReply(new FieldReader(bytes));
}

/** Encodes a ReplicaWriteReply without a type. @throws RangeError unless the code is one byte. */
export function encodeReplicaWriteReply(errorCode: number): Bytes {
  return new FieldWriter().u8("errorCode", errorCode).finish();
}

/** Reads a ReplicaWriteReply. @throws ProtocolError `data too short`. */
export function decodeReplicaWriteReply(bytes: Uint8Array) {
  return { errorCode: new FieldReader(bytes).u8() };
}

/** Encodes a replica's answer. @throws TypeError, RangeError for wrong lengths. */
export function encodeReplicaReplyMessage(message: ReplicaReplyMessage): Bytes {
  const writer = new FieldWriter();
  switch (message.kind) {
    case "read":
      return writeReadReply(writer.u8("type", readType), message).finish();
    case "write":
      return writer.u8("type", writeType).u8("errorCode", message.errorCode).finish();
    default:
      throw new RangeError(`\`message.kind\`: ${UNKNOWN_TYPE_TEXT}`);
  }
}

/**
 * Reads a replica's answer.
 * @throws ProtocolError `data too short`, `integer constraint violated`.
 */
export function decodeReplicaReplyMessage(bytes: Uint8Array) {
  const reader = new FieldReader(bytes);
  switch (reader.u8()) {
    case readType:
      return { kind: "read" as const, ...readReadReply(reader) };
    case writeType:
      return { kind: "write" as const, errorCode: reader.u8() };
    default:
      throw new ProtocolError(UNKNOWN_TYPE_TEXT);
  }
}

/**
 * Encodes a box for a replica's disk: ID ‖ payload length ‖ payload ‖ signature. The order differs
 * from that of a ReplicaWrite.
 * @throws TypeError, RangeError for wrong lengths.
 */
export function encodeStoredBox(box: SignedBox): Bytes {
  return new FieldWriter()
    .bytes("boxId", box.boxId, BOX_ID_LENGTH)
    .prefixed("payload", box.payload)
    .bytes("signature", box.signature, BOX_SIGNATURE_LENGTH)
    .finish();
}

/** Reads a stored box. @throws ProtocolError `data too short`. */
export function decodeStoredBox(bytes: Uint8Array) {
  const reader = new FieldReader(bytes);
  return {
    boxId: reader.take(BOX_ID_LENGTH),
    payload: reader.take(reader.u32()),
    signature: reader.take(BOX_SIGNATURE_LENGTH),
  };
}
