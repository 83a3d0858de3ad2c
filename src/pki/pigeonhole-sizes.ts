/**
 * Sizes of Pigeonhole messages (spec/pigeonhole §4).
 *
 * All sizes follow from one length and the NIKE: either from the capacity of a Sphinx packet, as in
 * a network, or from the longest application message. Client, courier and replicas derive the same
 * numbers independently; nobody reads them from a file.
 *
 * The reference checks a geometry in two places with different texts: the daemon names fields as in
 * its files ({@link pigeonholeSizesOf}), a client as in Python (`PigeonholeGeometry.validate`).
 */
import { checkCount } from "./geometry.js";
import { type NikeSizes, nikeSizesByName } from "./scheme-names.js";

/** Length of the prefix that padding adds, in bytes. */
const lengthPrefix = 4;
/**
 * CourierEnvelope without sender key and ciphertext: IDs, two DEKs, reply index, epoch, lengths.
 */
const courierEnvelopeFixed = 2 + 60 + 60 + 1 + 8 + 2 + 4;
/** ReplicaWrite without payload: box ID, signature, payload length. */
const replicaWriteFixed = 32 + 64 + 4;
/** ReplicaReadReply without payload: error code, box ID, signature, payload length. */
const replicaReadReplyFixed = 1 + 32 + 64 + 4;
/** What BACAP encryption adds: the tag. */
const bacapOverhead = 16;
/** What MKEM sealing adds: nonce and tag. */
const mkemOverhead = 28;
/** The query type or message type before a message. */
const typeLength = 1;
/** How many bytes all layers but the NIKE key add to an application message: 291. */
const overheadWithoutKey =
  typeLength +
  courierEnvelopeFixed +
  mkemOverhead +
  lengthPrefix +
  typeLength +
  replicaWriteFixed +
  bacapOverhead +
  lengthPrefix;
/** Difference between the Sphinx payload and a command between courier and replica: 72 bytes. */
const queryToWireCommand = 72;

/** The only signature scheme of boxes. */
export const PIGEONHOLE_SIGNATURE_SCHEME = "Ed25519";

/** The geometry as daemons publish it. Lengths in bytes. */
export interface PigeonholeGeometryRecord {
  /** Longest application message of one box. */
  readonly maxPlaintextPayloadLength: number;
  /** Length of a CourierQuery that reads. */
  readonly courierQueryReadLength: number;
  /** Length of a CourierQuery that writes; the same. */
  readonly courierQueryWriteLength: number;
  /** Published as the length of a reply to a read; 25 bytes short of the real one. */
  readonly courierQueryReplyReadLength: number;
  /** Published as the length of a reply to a write; the same. */
  readonly courierQueryReplyWriteLength: number;
  /** Canonical name of the NIKE scheme. */
  readonly nikeName: string;
  /** `Ed25519`. */
  readonly signatureSchemeName: string;
}

/** All sizes that the geometry determines. Lengths in bytes. */
export interface PigeonholeSizes extends PigeonholeGeometryRecord {
  /** The sender's key in every envelope: 32 with x25519, 160 with CTIDH1024-X25519. */
  readonly nikePublicKeyLength: number;
  /** Application message padded, before BACAP encryption. */
  readonly paddedPayloadLength: number;
  /** Ciphertext of a box that is not a tombstone. */
  readonly boxCiphertextLength: number;
  /** Longest ReplicaInnerMessage: a write. */
  readonly replicaInnerMessageWriteLength: number;
  /** ReplicaInnerMessage padded, before MKEM. */
  readonly replicaInnerMessagePaddedLength: number;
  /** MKEM envelope in a CourierEnvelope. */
  readonly courierEnvelopeCiphertextLength: number;
  /** CourierEnvelope, serialized. */
  readonly courierEnvelopeLength: number;
  /** Longest ReplicaMessageReplyInnerMessage: the reply to a read. */
  readonly replicaReplyInnerMessageReadLength: number;
  /** ReplicaMessageReplyInnerMessage padded, before sealing. */
  readonly replicaReplyInnerMessagePaddedLength: number;
  /** A sealed reply on the wire. */
  readonly envelopeReplyLength: number;
  /** A CourierQueryReply that carries a sealed reply: the real length. */
  readonly courierQueryReplyLength: number;
  /** The capacity of this network's Sphinx packets: UserForwardPayloadLength. */
  readonly userForwardPayloadLength: number;
  /** Length of every command between courier and replica, and between replicas. */
  readonly wireCommandLength: number;
}

/** All sizes for boxes of up to `payloadLength` bytes; the scheme may be an unknown one. */
export function pigeonholeSizesFrom(
  payloadLength: number,
  nike: Pick<NikeSizes, "name" | "publicKeyLength">,
): PigeonholeSizes {
  const paddedPayload = payloadLength + lengthPrefix;
  const boxCiphertext = paddedPayload + bacapOverhead;
  const innerWrite = typeLength + replicaWriteFixed + boxCiphertext;
  const innerPadded = innerWrite + lengthPrefix;
  const mkemEnvelope = innerPadded + mkemOverhead;
  const courierEnvelope = courierEnvelopeFixed + nike.publicKeyLength + mkemEnvelope;
  const query = typeLength + courierEnvelope;
  const replyInner = typeLength + replicaReadReplyFixed + boxCiphertext;
  const replyPadded = replyInner + lengthPrefix;
  const envelopeReply = replyPadded + mkemOverhead;
  // The published field counts 15 bytes around the sealed reply, but there are 40.
  const publishedReply = envelopeReply + 15;
  return Object.freeze({
    maxPlaintextPayloadLength: payloadLength,
    courierQueryReadLength: query,
    courierQueryWriteLength: query,
    courierQueryReplyReadLength: publishedReply,
    courierQueryReplyWriteLength: publishedReply,
    nikeName: nike.name,
    signatureSchemeName: PIGEONHOLE_SIGNATURE_SCHEME,
    nikePublicKeyLength: nike.publicKeyLength,
    paddedPayloadLength: paddedPayload,
    boxCiphertextLength: boxCiphertext,
    replicaInnerMessageWriteLength: innerWrite,
    replicaInnerMessagePaddedLength: innerPadded,
    courierEnvelopeCiphertextLength: mkemEnvelope,
    courierEnvelopeLength: courierEnvelope,
    replicaReplyInnerMessageReadLength: replyInner,
    replicaReplyInnerMessagePaddedLength: replyPadded,
    envelopeReplyLength: envelopeReply,
    courierQueryReplyLength: typeLength + 39 + envelopeReply,
    userForwardPayloadLength: query,
    wireCommandLength: query - queryToWireCommand,
  });
}

/**
 * The longest application message whose query fits into a Sphinx payload.
 * @throws RangeError when not even one byte fits.
 */
export function payloadThatFits(
  userForwardPayloadLength: number,
  nikePublicKeyLength: number,
): number {
  const overhead = overheadWithoutKey + nikePublicKeyLength;
  if (userForwardPayloadLength > overhead) return userForwardPayloadLength - overhead;
  throw new RangeError(
    `sphinx geometry too small: UserForwardPayloadLength=${userForwardPayloadLength}, ` +
      `total overhead=${overhead}`,
  );
}

/**
 * Sizes for boxes that hold application messages of up to `maxPlaintextPayloadLength` bytes.
 * @throws TypeError; RangeError when the length is not positive or the scheme is unknown.
 */
export function pigeonholeSizes(
  maxPlaintextPayloadLength: number,
  nikeName: string,
): PigeonholeSizes {
  checkCount("maxPlaintextPayloadLength", maxPlaintextPayloadLength);
  if (maxPlaintextPayloadLength <= 0) {
    throw new RangeError("MaxPlaintextPayloadLength must be positive");
  }
  return pigeonholeSizesFrom(maxPlaintextPayloadLength, nikeSizesByName(nikeName));
}

/**
 * Sizes for a network whose Sphinx packets carry `userForwardPayloadLength` bytes: a query fills a
 * packet exactly.
 * @throws TypeError; RangeError when that has no room for one byte, or the scheme is unknown.
 */
export function pigeonholeSizesFromSphinx(
  userForwardPayloadLength: number,
  nikeName: string,
): PigeonholeSizes {
  checkCount("userForwardPayloadLength", userForwardPayloadLength);
  const nike = nikeSizesByName(nikeName);
  return pigeonholeSizesFrom(payloadThatFits(userForwardPayloadLength, nike.publicKeyLength), nike);
}

/**
 * The sizes for a published geometry.
 * @throws TypeError when it is null; RangeError when a field is wrong: message length, NIKE name,
 * signature scheme, in this order. The other lengths are informational and not checked.
 */
export function pigeonholeSizesOf(
  geometry: Pick<
    PigeonholeGeometryRecord,
    "maxPlaintextPayloadLength" | "nikeName" | "signatureSchemeName"
  >,
): PigeonholeSizes {
  if (geometry === null || geometry === undefined) throw new TypeError("geometry is nil");
  if (!(geometry.maxPlaintextPayloadLength > 0)) {
    throw new RangeError("MaxPlaintextPayloadLength must be positive");
  }
  if (geometry.nikeName === "") throw new RangeError("NIKEName must be set");
  const sizes = pigeonholeSizes(geometry.maxPlaintextPayloadLength, geometry.nikeName);
  if (geometry.signatureSchemeName !== PIGEONHOLE_SIGNATURE_SCHEME) {
    throw new RangeError(`SignatureSchemeName must be ${PIGEONHOLE_SIGNATURE_SCHEME}`);
  }
  return sizes;
}
