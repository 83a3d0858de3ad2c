/** MKEM ciphertexts as CBOR; only contact vouchers use this form. spec/pigeonhole §2. */
import { type Bytes, checkBytes } from "../../bytes/bytes.js";
import { ProtocolError } from "../../errors/errors.js";
import { requiredBytes, requiredBytesArray } from "../../cbor/fields.js";
import { decodeCborMap, encodeCborMap } from "../cbor.js";
import type { NikeScheme } from "../nike/scheme.js";
import { MKEM_DEK_LENGTH, MKEM_OVERHEAD, type MkemCiphertext } from "./mkem.js";

/**
 * Encodes a ciphertext as canonical CBOR: a map of `Envelope`, `DEKCiphertexts`,
 * `EphemeralPublicKey`.
 */
export function encodeMkemCiphertext(ciphertext: MkemCiphertext): Bytes {
  return encodeCborMap({
    Envelope: ciphertext.envelope,
    DEKCiphertexts: ciphertext.deks,
    EphemeralPublicKey: ciphertext.ephemeralPublicKey,
  });
}

/**
 * Reads what {@link encodeMkemCiphertext} wrote.
 * @throws ProtocolError when it is something else, a key or DEK has a wrong length, or the envelope
 * is shorter than the 28 bytes that sealing adds.
 */
export function decodeMkemCiphertext(
  scheme: NikeScheme,
  bytes: Uint8Array,
): { readonly ephemeralPublicKey: Bytes; readonly deks: Bytes[]; readonly envelope: Bytes } {
  checkBytes("ciphertext", bytes);
  const what = "MKEM ciphertext";
  const map = decodeCborMap(what, bytes);
  const envelope = requiredBytes(map, "Envelope", what);
  const deks = requiredBytesArray(map, "DEKCiphertexts", what);
  const ephemeralPublicKey = requiredBytes(map, "EphemeralPublicKey", what, scheme.publicKeyLength);
  if (envelope.length < MKEM_OVERHEAD || deks.some((dek) => dek.length !== MKEM_DEK_LENGTH)) {
    throw new ProtocolError("MKEM ciphertext: a sealed part has the wrong length");
  }
  return { ephemeralPublicKey, deks, envelope };
}
