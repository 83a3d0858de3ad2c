/**
 * Commands between courier and replica, and between replicas (spec/pigeonhole §5.1).
 *
 * Header: ID (1) ‖ zero (1) ‖ body length (4, big-endian); then the body, then zeros up to the
 * common size of all commands.
 */
import type { Bytes } from "../../bytes/bytes.js";
import { ProtocolError } from "../../errors/errors.js";
import { BOX_ID_LENGTH, BOX_SIGNATURE_LENGTH } from "../../bacap/box.js";
import { MKEM_DEK_LENGTH } from "../mkem/mkem.js";
import { FieldReader, FieldWriter } from "./fixed-layout.js";
import type { SignedBox } from "./replica-messages.js";

const headerLength = 6;
const invalidText = "wire: invalid wire protocol command";

const commandId = {
  noOp: 0,
  disconnect: 1,
  replicaMessage: 8,
  replicaMessageReply: 9,
  replicaWrite: 12,
  replicaWriteReply: 13,
  replicaDecoy: 33,
} as const;

/** An envelope with the DEK of the replica that receives it. */
export interface ReplicaMessageCommand {
  /** ID 8 on the wire. */
  readonly kind: "replicaMessage";
  /** Ephemeral NIKE public key. */
  readonly senderPublicKey: Uint8Array;
  /** 60 bytes. */
  readonly dek: Uint8Array;
  /** The MKEM envelope, at least 4 bytes. */
  readonly ciphertext: Uint8Array;
}

/** A replica's answer to an envelope. */
export interface ReplicaMessageReplyCommand {
  /** ID 9 on the wire. */
  readonly kind: "replicaMessageReply";
  /** The replica's code, in clear for the courier. */
  readonly errorCode: number;
  /** Hash of the envelope, 32 bytes. */
  readonly envelopeHash: Uint8Array;
  /** Static ID of the replica. */
  readonly replicaId: number;
  /** The sealed reply; empty if the replica failed before it could make one. */
  readonly envelopeReply: Uint8Array;
}

/** A box for another replica to store. */
export interface ReplicaWriteCommand extends SignedBox {
  /** ID 12 on the wire. */
  readonly kind: "replicaWrite";
}

/** Answer to a {@link ReplicaWriteCommand}. */
export interface ReplicaWriteReplyCommand {
  /** ID 13 on the wire. */
  readonly kind: "replicaWriteReply";
  /** The replica's code. */
  readonly errorCode: number;
}

/** A command without a body. */
export interface BareCommand {
  /** IDs 0, 1 and 33 on the wire. */
  readonly kind: "noOp" | "disconnect" | "replicaDecoy";
}

/** Any command. */
export type ReplicaCommand =
  | ReplicaMessageCommand
  | ReplicaMessageReplyCommand
  | ReplicaWriteCommand
  | ReplicaWriteReplyCommand
  | BareCommand;

function bodyOf(command: ReplicaCommand): FieldWriter {
  const writer = new FieldWriter();
  switch (command.kind) {
    case "replicaMessage":
      writer
        .bytes("senderPublicKey", command.senderPublicKey)
        .bytes("dek", command.dek, MKEM_DEK_LENGTH)
        .bytes("ciphertext", command.ciphertext);
      break;
    case "replicaMessageReply":
      writer
        .u8("errorCode", command.errorCode)
        .bytes("envelopeHash", command.envelopeHash, 32)
        .u8("replicaId", command.replicaId)
        .bytes("envelopeReply", command.envelopeReply);
      break;
    case "replicaWrite":
      writer
        .bytes("boxId", command.boxId, BOX_ID_LENGTH)
        .bytes("signature", command.signature, BOX_SIGNATURE_LENGTH)
        .bytes("payload", command.payload);
      break;
    case "replicaWriteReply":
      writer.u8("errorCode", command.errorCode);
      break;
    case "noOp":
    case "disconnect":
    case "replicaDecoy":
      break;
    default:
      throw new RangeError("`command.kind` must be one of the replica commands");
  }
  return writer;
}

/**
 * Encodes a command.
 * @param length the length to pad to: the geometry's `wireCommandLength`; without it there is no
 * padding.
 * @throws TypeError, RangeError for fields that do not fit, and when the result exceeds `length`.
 */
export function encodeReplicaCommand(command: ReplicaCommand, length?: number): Bytes {
  return new FieldWriter()
    .u8("id", commandId[command.kind])
    .u8("reserved", 0)
    .nested("body", bodyOf(command))
    .finish(length);
}

function readBody(reader: FieldReader, atLeast: number, text: string = invalidText): FieldReader {
  if (reader.remaining < atLeast) throw new ProtocolError(text);
  return reader;
}

function decodeReplicaMessage(reader: FieldReader, publicKeyLength: number) {
  readBody(reader, publicKeyLength + MKEM_DEK_LENGTH + 4, "message too short");
  return {
    kind: "replicaMessage" as const,
    senderPublicKey: reader.take(publicKeyLength),
    dek: reader.take(MKEM_DEK_LENGTH),
    ciphertext: reader.rest(),
  };
}

function decodeReplicaMessageReply(reader: FieldReader) {
  readBody(reader, 34);
  return {
    kind: "replicaMessageReply" as const,
    errorCode: reader.u8(),
    envelopeHash: reader.take(32),
    replicaId: reader.u8(),
    envelopeReply: reader.rest(),
  };
}

function decodeReplicaWriteCommand(reader: FieldReader) {
  readBody(reader, BOX_ID_LENGTH + BOX_SIGNATURE_LENGTH);
  return {
    kind: "replicaWrite" as const,
    boxId: reader.take(BOX_ID_LENGTH),
    signature: reader.take(BOX_SIGNATURE_LENGTH),
    // A copy: a replica keeps the box for weeks, and a view would keep the whole padded command.
    payload: reader.take(reader.remaining),
  };
}

function decodeReplicaWriteReplyCommand(reader: FieldReader) {
  if (reader.remaining !== 1) throw new ProtocolError(invalidText);
  return { kind: "replicaWriteReply" as const, errorCode: reader.u8() };
}

function bareCommand<K extends BareCommand["kind"]>(reader: FieldReader, kind: K): { kind: K } {
  if (reader.remaining !== 0) throw new ProtocolError(invalidText);
  return { kind };
}

/** Checks header and padding of a command; returns its ID and body. */
function readHeader(bytes: Uint8Array): { id: number; body: FieldReader } {
  const reader = new FieldReader(bytes);
  if (reader.remaining < headerLength) throw new ProtocolError(invalidText);
  const id = reader.u8();
  const reserved = reader.u8();
  const bodyLength = reader.u32();
  if (reserved !== 0 || bodyLength > reader.remaining) throw new ProtocolError(invalidText);
  const body = reader.within(bodyLength);
  if (!reader.isPadding) throw new ProtocolError(invalidText);
  return { id, body };
}

/**
 * Reads a command. Its ciphertext or sealed reply is a view of `bytes`.
 * @param nikePublicKeyLength length of sender keys in this network.
 * @throws ProtocolError `wire: invalid wire protocol command`, or `message too short` for a
 * ReplicaMessage.
 */
export function decodeReplicaCommand(bytes: Uint8Array, nikePublicKeyLength: number) {
  const { id, body } = readHeader(bytes);
  switch (id) {
    case commandId.noOp:
      return bareCommand(body, "noOp");
    case commandId.disconnect:
      return bareCommand(body, "disconnect");
    case commandId.replicaDecoy:
      return bareCommand(body, "replicaDecoy");
    case commandId.replicaMessage:
      return decodeReplicaMessage(body, nikePublicKeyLength);
    case commandId.replicaMessageReply:
      return decodeReplicaMessageReply(body);
    case commandId.replicaWrite:
      return decodeReplicaWriteCommand(body);
    case commandId.replicaWriteReply:
      return decodeReplicaWriteReplyCommand(body);
    default:
      throw new ProtocolError(invalidText);
  }
}
