/**
 * Sends one message to one replica in its own envelope. Replicas pass messages on this way, and
 * couriers read and delete the boxes of a copy (spec/pigeonhole §9).
 */
import { type RandomSource, equalBytes } from "../bytes/bytes.js";
import { BOX_ID_LENGTH, BOX_SIGNATURE_LENGTH } from "../bacap/box.js";
import { createReplicaMessage, openReplicaReply } from "../crypto/envelope/client-envelope.js";
import { envelopeHashOf } from "../crypto/envelope/courier-messages.js";
import type {
  ReplicaInnerMessage,
  ReplicaReadReply,
  ReplicaReplyMessage,
} from "../crypto/envelope/replica-messages.js";
import type { PigeonholeSizes } from "../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../crypto/nike/scheme.js";
import {
  REPLICA_ERROR_INTERNAL_ERROR,
  REPLICA_ERROR_TOMBSTONE,
  REPLICA_SUCCESS,
} from "../errors/codes.js";
import { ProtocolError } from "../errors/errors.js";
import type { StorageLink } from "./storage-link.js";

/** A message to a replica. */
export interface ReplicaQuestion {
  readonly scheme: NikeScheme;
  readonly sizes: PigeonholeSizes;
  readonly random: RandomSource;
  readonly link: StorageLink;
  /** The replica's envelope key of the current replica epoch. */
  readonly publicKey: Uint8Array;
  readonly message: ReplicaInnerMessage;
  /** How long to wait for the answer, in ms. */
  readonly timeoutMs: number;
}

/** The answer that only reports an error, in the form that fits the message. */
export function refusalOf(message: ReplicaInnerMessage, errorCode: number): ReplicaReplyMessage {
  if (message.kind === "write") return { kind: "write", errorCode };
  return {
    kind: "read",
    errorCode,
    boxId: message.boxId,
    signature: new Uint8Array(BOX_SIGNATURE_LENGTH),
    payload: new Uint8Array(0),
  };
}

function checkBox(sizes: PigeonholeSizes, boxId: Uint8Array, reply: ReplicaReadReply): void {
  if (!equalBytes(reply.boxId, boxId)) throw new ProtocolError("answer about another box");
  const expected =
    reply.errorCode === REPLICA_SUCCESS
      ? sizes.boxCiphertextLength
      : reply.errorCode === REPLICA_ERROR_TOMBSTONE
        ? 0
        : reply.payload.length;
  if (reply.payload.length !== expected || reply.payload.length > sizes.boxCiphertextLength) {
    throw new ProtocolError(`box of ${reply.payload.length} bytes, expected ${expected}`);
  }
}

/**
 * Asks a replica and opens its answer. If the replica failed before it could seal an answer, its
 * error code comes back in an otherwise empty answer.
 * @throws (rejects) StorageLinkError when there is no answer; MKEMDecryptionFailedError,
 * ProtocolError when the answer cannot be opened or answers something else.
 */
export async function askReplica(question: ReplicaQuestion): Promise<ReplicaReplyMessage> {
  const { scheme, sizes, random, link, publicKey, message, timeoutMs } = question;
  const sealed = await createReplicaMessage({ scheme, sizes, message, publicKey, random });
  const answer = await link.request(sealed.command, timeoutMs);
  if (answer.kind !== "replicaMessageReply") throw new ProtocolError("answer of another kind");
  if (!equalBytes(answer.envelopeHash, envelopeHashOf(sealed.command))) {
    throw new ProtocolError("answer to another message");
  }
  if (answer.envelopeReply.length === 0) {
    return refusalOf(message, answer.errorCode || REPLICA_ERROR_INTERNAL_ERROR);
  }
  const reply = openReplicaReply([sealed.replyKey], answer.envelopeReply);
  if (reply.kind !== message.kind) throw new ProtocolError("answer to another kind of message");
  if (reply.kind === "read") {
    if (reply.boxId.length !== BOX_ID_LENGTH) throw new ProtocolError("answer without a box ID");
    checkBox(sizes, message.boxId, reply);
  }
  return reply;
}
