/** The sender's side of envelopes: sealing them, and opening the replies (spec/pigeonhole §7). */
import { type Bytes, type RandomSource, randomBytes } from "../../bytes/bytes.js";
import type { EnvelopeDescriptor, EnvelopeHash } from "../../bytes/opaque.js";
import { MKEMDecryptionFailedError } from "../../errors/errors.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import {
  type MkemEncapsulation,
  mkemEncapsulate,
  mkemOpenReply,
  mkemReplyKey,
} from "../mkem/mkem.js";
import type { NikeScheme } from "../nike/scheme.js";
import { type CourierEnvelope, encodeCourierQuery, envelopeHashOf } from "./courier-messages.js";
import { decodeEnvelopeDescriptor, encodeEnvelopeDescriptor } from "./descriptor.js";
import { padInnerMessage, unpadMessage } from "./padding.js";
import {
  type ReplicaInnerMessage,
  type ReplicaReplyMessage,
  decodeReplicaReplyMessage,
  encodeReplicaInnerMessage,
} from "./replica-messages.js";
import type { ReplicaMessageCommand } from "./wire-commands.js";

/** A replica that receives an envelope. */
export interface EnvelopeRecipient {
  /** Its static ID, 0 to 255. */
  readonly replicaId: number;
  /** Its NIKE public key for the epoch. */
  readonly publicKey: Uint8Array;
}

/** The input for an envelope. */
export interface EnvelopeRequest {
  readonly scheme: NikeScheme;
  readonly sizes: PigeonholeSizes;
  /** The message for the replicas. */
  readonly message: ReplicaInnerMessage;
  /** The two intermediate replicas, in the chosen order. */
  readonly recipients: readonly [EnvelopeRecipient, EnvelopeRecipient];
  /** Replica epoch, as sent to the courier. */
  readonly epoch: number | bigint;
  /** The platform's generator by default. */
  readonly random?: RandomSource | undefined;
}

/** An envelope for a courier, and the sender's secrets. */
export interface ClientEnvelope {
  readonly envelope: CourierEnvelope;
  /**
   * The serialized CourierQuery with the envelope: `courierQueryWriteLength` bytes. Resend these
   * bytes.
   */
  readonly query: Bytes;
  /** Opens the reply, see {@link openEnvelopeReply}. Secret. */
  readonly envelopeDescriptor: EnvelopeDescriptor;
  /** Hash of the envelope. */
  readonly envelopeHash: EnvelopeHash;
  /** Keys of the replies (32 bytes each), in the order of the recipients. Secret. */
  readonly replyKeys: readonly Bytes[];
}

function checkScheme(scheme: NikeScheme, sizes: PigeonholeSizes): void {
  if (scheme.publicKeyLength !== sizes.nikePublicKeyLength) {
    throw new RangeError(`\`scheme\` must be the geometry's ${sizes.nikeName}, got ${scheme.name}`);
  }
}

function encapsulate(
  scheme: NikeScheme,
  sizes: PigeonholeSizes,
  message: ReplicaInnerMessage,
  publicKeys: readonly Uint8Array[],
  random: RandomSource,
): Promise<MkemEncapsulation> {
  checkScheme(scheme, sizes);
  const padded = padInnerMessage(sizes, encodeReplicaInnerMessage(message));
  return mkemEncapsulate(scheme, publicKeys, padded, random);
}

/**
 * Seals a message to two replicas and puts it into an envelope for a courier.
 * @throws (rejects) TypeError, RangeError for malformed keys or messages, and when the scheme is
 * not the geometry's.
 */
export async function createCourierEnvelope(request: EnvelopeRequest): Promise<ClientEnvelope> {
  const { scheme, sizes, message, recipients, random = randomBytes } = request;
  const publicKeys = recipients.map((recipient) => recipient.publicKey);
  const sealed = await encapsulate(scheme, sizes, message, publicKeys, random);
  const replicaIds = [recipients[0].replicaId, recipients[1].replicaId] as const;
  const epoch = BigInt(request.epoch);
  const envelope: CourierEnvelope = {
    intermediateReplicas: replicaIds,
    deks: [sealed.deks[0]!, sealed.deks[1]!],
    replyIndex: 0,
    epoch,
    senderPublicKey: sealed.ephemeralPublicKey,
    ciphertext: sealed.envelope,
  };
  return {
    envelope,
    query: encodeCourierQuery({ kind: "envelope", envelope }),
    envelopeDescriptor: encodeEnvelopeDescriptor({
      epoch,
      replicaIds,
      envelopeKey: sealed.ephemeralPrivateKey,
    }),
    envelopeHash: envelopeHashOf(envelope),
    replyKeys: sealed.replyKeys,
  };
}

/** The command that a courier sends to one of an envelope's two replicas. */
export function replicaMessageOf(envelope: CourierEnvelope, slot: 0 | 1): ReplicaMessageCommand {
  return {
    kind: "replicaMessage",
    senderPublicKey: envelope.senderPublicKey,
    dek: envelope.deks[slot],
    ciphertext: envelope.ciphertext,
  };
}

/**
 * Seals a message to one replica, for parts that talk to replicas directly: couriers that copy and
 * replicas that pass messages on.
 * @returns the command to send, and the key that opens only its reply.
 * @throws (rejects) as {@link createCourierEnvelope}.
 */
export async function createReplicaMessage(request: {
  readonly scheme: NikeScheme;
  readonly sizes: PigeonholeSizes;
  readonly message: ReplicaInnerMessage;
  /** NIKE public key of the replica. */
  readonly publicKey: Uint8Array;
  readonly random?: RandomSource | undefined;
}): Promise<{
  readonly command: ReplicaMessageCommand;
  readonly replyKey: Bytes;
}> {
  const { scheme, sizes, message, publicKey, random = randomBytes } = request;
  const sealed = await encapsulate(scheme, sizes, message, [publicKey], random);
  const command: ReplicaMessageCommand = {
    kind: "replicaMessage",
    senderPublicKey: sealed.ephemeralPublicKey,
    dek: sealed.deks[0]!,
    ciphertext: sealed.envelope,
  };
  return { command, replyKey: sealed.replyKeys[0]! };
}

/**
 * Opens a sealed reply with the first of `replyKeys` that fits.
 * @throws MKEMDecryptionFailedError when none fits; ProtocolError when the content is malformed.
 */
export function openReplicaReply(
  replyKeys: Iterable<Uint8Array>,
  sealedReply: Uint8Array,
): ReplicaReplyMessage {
  for (const replyKey of replyKeys) {
    let padded: Bytes;
    try {
      padded = mkemOpenReply(replyKey, sealedReply);
    } catch (error) {
      if (error instanceof MKEMDecryptionFailedError) continue;
      throw error;
    }
    return decodeReplicaReplyMessage(unpadMessage(padded));
  }
  throw new MKEMDecryptionFailedError();
}

/**
 * Opens the reply to an envelope with its descriptor. It tries the key of each replica in turn,
 * because either of the two may have answered.
 * @param request.publicKeyOf returns the NIKE public key of a replica for an epoch; undefined if
 * unknown.
 * @param request.replyKeys the reply keys, in the order of the recipients, if they are still known;
 * otherwise they are computed again.
 * @throws (rejects) MKEMDecryptionFailedError when no replica's key opens it; ProtocolError when
 * the descriptor or the reply's content is malformed; RangeError for malformed public keys.
 */
export async function openEnvelopeReply(request: {
  readonly scheme: NikeScheme;
  readonly envelopeDescriptor: EnvelopeDescriptor;
  readonly sealedReply: Uint8Array;
  readonly publicKeyOf: (replicaId: number, epoch: bigint) => Uint8Array | undefined;
  readonly replyKeys?: readonly Bytes[] | undefined;
}): Promise<ReplicaReplyMessage> {
  const { scheme, sealedReply } = request;
  const descriptor = decodeEnvelopeDescriptor(request.envelopeDescriptor);
  for (const [i, replicaId] of descriptor.replicaIds.entries()) {
    const publicKey = request.publicKeyOf(replicaId, descriptor.epoch);
    if (publicKey === undefined) continue;
    const replyKey =
      request.replyKeys?.[i] ?? (await mkemReplyKey(scheme, descriptor.envelopeKey, publicKey));
    try {
      return openReplicaReply([replyKey], sealedReply);
    } catch (error) {
      if (!(error instanceof MKEMDecryptionFailedError)) throw error;
    }
  }
  throw new MKEMDecryptionFailedError();
}
