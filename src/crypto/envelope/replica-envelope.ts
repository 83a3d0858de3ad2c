/** The replica's side of envelopes: opening them, and sealing the answer (spec/pigeonhole §9.2). */
import { type Bytes, type RandomSource, randomBytes } from "../../bytes/bytes.js";
import {
  InvalidEpochError,
  InvalidPayloadError,
  MKEMDecryptionFailedError,
  ProtocolError,
  ReplicaInternalError,
} from "../../errors/errors.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import { mkemDecapsulate, mkemSealReply } from "../mkem/mkem.js";
import type { NikeScheme } from "../nike/scheme.js";
import { padReplyMessage, unpadMessage } from "./padding.js";
import {
  type ReplicaInnerMessage,
  type ReplicaReplyMessage,
  decodeReplicaInnerMessage,
  encodeReplicaReplyMessage,
} from "./replica-messages.js";
import type { ReplicaMessageCommand } from "./wire-commands.js";

/** An opened envelope. */
export interface OpenedEnvelope {
  /** The client's message. */
  readonly message: ReplicaInnerMessage;
  /** Seals the answer, see {@link sealReplicaReply}. 32 bytes, secret. */
  readonly replyKey: Bytes;
}

async function openWith(
  scheme: NikeScheme,
  privateKey: Uint8Array,
  command: ReplicaMessageCommand,
): Promise<{ readonly payload: Bytes; readonly replyKey: Bytes }> {
  const ciphertext = {
    ephemeralPublicKey: command.senderPublicKey,
    deks: [command.dek],
    envelope: command.ciphertext,
  };
  try {
    return await mkemDecapsulate(scheme, privateKey, ciphertext);
  } catch (error) {
    if (error instanceof MKEMDecryptionFailedError) {
      throw new InvalidEpochError("no envelope key opens the message", { cause: error });
    }
    // A malformed key, an invalid curve and a point of low order are all detected when the secret
    // is computed.
    throw new ReplicaInternalError("unusable sender key", { cause: error });
  }
}

/**
 * Opens a ReplicaMessage.
 * @param request.privateKey the replica's NIKE private key of one epoch.
 * @throws (rejects) a ReplicaError, whose `errorCode` is the replica's answer: 7 for an unusable
 * sender key, 8 when the key does not open the message (that of another epoch may), 5 when its
 * padding or contents are malformed.
 */
export async function openReplicaMessage(request: {
  readonly scheme: NikeScheme;
  readonly privateKey: Uint8Array;
  readonly command: ReplicaMessageCommand;
}): Promise<OpenedEnvelope> {
  const { scheme, privateKey, command } = request;
  if (command.senderPublicKey.length !== scheme.publicKeyLength) {
    throw new ReplicaInternalError("unusable sender key");
  }
  const { payload, replyKey } = await openWith(scheme, privateKey, command);
  try {
    return { message: decodeReplicaInnerMessage(unpadMessage(payload)), replyKey };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new InvalidPayloadError(error.message, { cause: error });
  }
}

/**
 * Pads and seals a replica's answer: `envelopeReplyLength` bytes, whatever it contains.
 * @throws TypeError, RangeError when the answer does not fit the geometry.
 */
export function sealReplicaReply(
  sizes: PigeonholeSizes,
  replyKey: Uint8Array,
  reply: ReplicaReplyMessage,
  random: RandomSource = randomBytes,
): Bytes {
  return mkemSealReply(replyKey, padReplyMessage(sizes, encodeReplicaReplyMessage(reply)), random);
}
