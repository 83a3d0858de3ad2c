/** The signed envelope around a consensus (spec/mixnet §3.3). */
import { type Bytes, concatBytes, toHex, utf8 } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import { type CborBudget, type CborMap, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import { asMap, bytesField, mapField, textField, uintField } from "../cbor/fields.js";

const where = "certificate";

/** One authority's signature. */
export interface CertificateSignature {
  /** BLAKE2b-256 of the signer's public key, 32 bytes. */
  readonly publicKeySum256: Bytes;
  /** The signature; 64 bytes with Ed25519. */
  readonly payload: Bytes;
}

/** A decoded certificate, not verified. */
export interface Certificate {
  /** Always 0. */
  readonly version: number;
  /** The first epoch in which it is invalid. */
  readonly expiration: number;
  /** Name of the signature scheme, as configured at the authorities. */
  readonly keyType: string;
  /** The signed bytes: a document. */
  readonly certified: Bytes;
  /** All signatures, good or bad. If one signer has several, the first counts. */
  readonly signatures: readonly CertificateSignature[];
}

/**
 * Reads a certificate without verifying it.
 * @param budget of the message that contained `raw`; a new one by default.
 * @throws ProtocolError when it is not CBOR, or a member is missing or of the wrong type.
 */
export function decodeCertificate(raw: Uint8Array, budget?: CborBudget): Certificate {
  const map = asMap(decodeCbor(raw, budget), where);
  for (const key of ["Version", "Expiration", "KeyType", "Certified"]) {
    if (!map.has(key)) throw new ProtocolError(`\`${where}\` has no ${key}`);
  }
  const signatures = mapField(map, "Signatures", where) ?? (new Map() as CborMap);
  return {
    version: uintField(map, "Version", where),
    expiration: uintField(map, "Expiration", where),
    keyType: textField(map, "KeyType", where),
    certified: bytesField(map, "Certified", where),
    signatures: [...signatures.values()].map((value) => {
      const signature = asMap(value, `${where}.Signatures`);
      return {
        publicKeySum256: bytesField(signature, "PublicKeySum256", `${where}.Signatures`),
        payload: bytesField(signature, "Payload", `${where}.Signatures`),
      };
    }),
  };
}

/**
 * Encodes a certificate as canonical CBOR; its signatures are stored under their signers' hashes.
 */
export function encodeCertificate(certificate: Certificate): Bytes {
  const signatures = new Map<string, readonly [Bytes, Bytes]>();
  for (const { publicKeySum256, payload } of certificate.signatures) {
    signatures.set(toHex(publicKeySum256), [publicKeySum256, payload]);
  }
  return encodeCbor({
    Version: certificate.version,
    Expiration: certificate.expiration,
    KeyType: certificate.keyType,
    Certified: certificate.certified,
    Signatures: new Map(
      [...signatures.values()].map(([sum, payload]) => [
        sum,
        { PublicKeySum256: sum, Payload: payload },
      ]),
    ),
  });
}

/**
 * The bytes that each signature covers: version (4 bytes) and expiration (8 bytes), both
 * little-endian, then the name of the key type, then the signed document.
 */
export function certificateMessage(certificate: Omit<Certificate, "signatures">): Bytes {
  const numbers = new DataView(new ArrayBuffer(12));
  numbers.setUint32(0, certificate.version, true);
  numbers.setBigUint64(4, BigInt(certificate.expiration), true);
  return concatBytes(
    new Uint8Array(numbers.buffer),
    utf8(certificate.keyType),
    certificate.certified,
  );
}
