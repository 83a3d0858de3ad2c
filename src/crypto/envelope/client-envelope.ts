/**
 * Envelopes at their sender: closing them, and opening what comes back. spec/pigeonhole §7.
 */
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

/** A replica that an envelope goes to. */
export interface EnvelopeRecipient {
  /** Its static id, 0 to 255. */
  readonly replicaId: number;
  /** Its NIKE public key of the epoch. */
  readonly publicKey: Uint8Array;
}

/** What an envelope is made of. */
export interface EnvelopeRequest {
  readonly scheme: NikeScheme;
  readonly sizes: PigeonholeSizes;
  /** What the replicas are to do. */
  readonly message: ReplicaInnerMessage;
  /** The two intermediates, in the order chosen. */
  readonly recipients: readonly [EnvelopeRecipient, EnvelopeRecipient];
  /** Replica epoch, as the courier is told. */
  readonly epoch: number | bigint;
  /** The platform's generator by default. */
  readonly random?: RandomSource | undefined;
}

/** An envelope for a courier, and what its sender keeps. */
export interface ClientEnvelope {
  readonly envelope: CourierEnvelope;
  /**
   * The CourierQuery around it, serialized: `courierQueryWriteLength` bytes. Resend these bytes.
   */
  readonly query: Bytes;
  /** Opens the reply, see {@link openEnvelopeReply}. Secret. */
  readonly envelopeDescriptor: EnvelopeDescriptor;
  /** Name of the envelope. */
  readonly envelopeHash: EnvelopeHash;
  /** Keys of the replies (32 bytes each), recipients in order. Secret. */
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
 * @throws (rejects) TypeError, RangeError on malformed keys or messages, and when the scheme is not
 * the geometry's.
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

/** What a courier sends to one of an envelope's two replicas. */
export function replicaMessageOf(envelope: CourierEnvelope, slot: 0 | 1): ReplicaMessageCommand {
  return {
    kind: "replicaMessage",
    senderPublicKey: envelope.senderPublicKey,
    dek: envelope.deks[slot],
    ciphertext: envelope.ciphertext,
  };
}

/**
 * Seals a message to one replica, for those who talk to replicas themselves: couriers that copy and
 * replicas that pass on.
 * @returns the command to send, and the key that opens its reply and no other.
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
 * @throws MKEMDecryptionFailedError when none does; ProtocolError when what is inside is malformed.
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
 * Opens the reply to an envelope with its descriptor: tries the key of each replica in turn, since
 * any of the two may have answered.
 * @param request.publicKeyOf NIKE public key of a replica at an epoch; undefined when unknown now.
 * @throws (rejects) MKEMDecryptionFailedError when no replica's key opens it; ProtocolError when
 * the descriptor or what is inside the reply is malformed; RangeError on malformed public keys.
 */
export async function openEnvelopeReply(request: {
  readonly scheme: NikeScheme;
  readonly envelopeDescriptor: EnvelopeDescriptor;
  readonly sealedReply: Uint8Array;
  readonly publicKeyOf: (replicaId: number, epoch: bigint) => Uint8Array | undefined;
}): Promise<ReplicaReplyMessage> {
  const { scheme, sealedReply } = request;
  const descriptor = decodeEnvelopeDescriptor(request.envelopeDescriptor);
  for (const replicaId of descriptor.replicaIds) {
    const publicKey = request.publicKeyOf(replicaId, descriptor.epoch);
    if (publicKey === undefined) continue;
    const replyKey = await mkemReplyKey(scheme, descriptor.envelopeKey, publicKey);
    try {
      return openReplicaReply([replyKey], sealedReply);
    } catch (error) {
      if (!(error instanceof MKEMDecryptionFailedError)) throw error;
    }
  }
  throw new MKEMDecryptionFailedError();
}
