/** CBOR messages of contact vouchers. spec/pigeonhole §10. */
import type { Bytes } from "../../bytes/bytes.js";
import type { ReadCap } from "../../bytes/opaque.js";
import { requiredBytes, requiredText } from "../../cbor/fields.js";
import { decodeCborMap, encodeCborMap } from "../cbor.js";

/** Length of a salt in bytes. */
export const VOUCHER_SALT_LENGTH = 32;

/** A newcomer's request to the group. */
export interface PleaseAdd {
  /** The newcomer's name. */
  readonly displayName: string;
  /** Reads the newcomer's messages, before mutation. */
  readonly messageReadCap: ReadCap;
}

/** Encodes a PleaseAdd as canonical CBOR; the signature covers these bytes. */
export function encodePleaseAdd(pleaseAdd: PleaseAdd): Bytes {
  return encodeCborMap({
    DisplayName: pleaseAdd.displayName,
    MessageReadCap: pleaseAdd.messageReadCap,
  });
}

/**
 * Returns only the capability in a PleaseAdd, whose root key signed it: nothing else may be used
 * before the signature is checked.
 * @throws ProtocolError.
 */
export function pleaseAddReadCap(bytes: Uint8Array): ReadCap {
  const what = "PleaseAdd";
  return requiredBytes(decodeCborMap(what, bytes), "MessageReadCap", what, 136) as ReadCap;
}

/** Reads a PleaseAdd. @throws ProtocolError. */
export function decodePleaseAdd(bytes: Uint8Array): PleaseAdd {
  const what = "PleaseAdd";
  const map = decodeCborMap(what, bytes);
  return {
    displayName: requiredText(map, "DisplayName", what),
    messageReadCap: requiredBytes(map, "MessageReadCap", what, 136) as ReadCap,
  };
}

/** A PleaseAdd and the newcomer's signature. */
export interface SignedPleaseAdd {
  /** The signed bytes of the PleaseAdd. */
  readonly pleaseAdd: Bytes;
  /** Plain Ed25519 signature (64 bytes) by the stream's root key. */
  readonly signature: Bytes;
}

/** Encodes a SignedPleaseAdd as canonical CBOR. */
export function encodeSignedPleaseAdd(signed: SignedPleaseAdd): Bytes {
  return encodeCborMap({ PleaseAdd: signed.pleaseAdd, Signature: signed.signature });
}

/** Reads a SignedPleaseAdd; the signature is not checked. @throws ProtocolError. */
export function decodeSignedPleaseAdd(bytes: Uint8Array): SignedPleaseAdd {
  const what = "SignedPleaseAdd";
  const map = decodeCborMap(what, bytes);
  return {
    pleaseAdd: requiredBytes(map, "PleaseAdd", what),
    signature: requiredBytes(map, "Signature", what, 64),
  };
}

/** The payload behind a voucher, published in the first box of the voucher's stream. */
export interface VoucherPayload {
  /** NIKE public key that the reply is sealed to. */
  readonly voucherPublicKey: Bytes;
  /** The SignedPleaseAdd's bytes. */
  readonly signedPleaseAdd: Bytes;
}

/** Encodes a VoucherPayload as canonical CBOR. */
export function encodeVoucherPayload(payload: VoucherPayload): Bytes {
  return encodeCborMap({
    VoucherPubKey: payload.voucherPublicKey,
    SignedPleaseAdd: payload.signedPleaseAdd,
  });
}

/** Reads a VoucherPayload. @param publicKeyLength in bytes. @throws ProtocolError. */
export function decodeVoucherPayload(bytes: Uint8Array, publicKeyLength: number): VoucherPayload {
  const what = "VoucherPayload";
  const map = decodeCborMap(what, bytes);
  return {
    voucherPublicKey: requiredBytes(map, "VoucherPubKey", what, publicKeyLength),
    signedPleaseAdd: requiredBytes(map, "SignedPleaseAdd", what),
  };
}

/** The member's answer, sealed, in the second box of the voucher's stream. */
export interface VoucherReply {
  /** Opaque here: the application's message about the group. */
  readonly whoReply: Bytes;
  /** The salt with which both sides mutate the newcomer's stream: 32 bytes. */
  readonly voucherSalt: Bytes;
}

/** Encodes a VoucherReply as canonical CBOR. */
export function encodeVoucherReply(reply: VoucherReply): Bytes {
  return encodeCborMap({ WhoReply: reply.whoReply, VoucherSalt: reply.voucherSalt });
}

/** Reads a VoucherReply. @throws ProtocolError. */
export function decodeVoucherReply(bytes: Uint8Array): VoucherReply {
  const what = "VoucherReply";
  const map = decodeCborMap(what, bytes);
  return {
    whoReply: requiredBytes(map, "WhoReply", what),
    voucherSalt: requiredBytes(map, "VoucherSalt", what, VOUCHER_SALT_LENGTH),
  };
}
