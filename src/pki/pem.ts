/**
 * Keys as text: PEM with the raw key inside, without ASN.1 (spec/mixnet §3.2). The frame is that of
 * RFC 7468.
 */
import { type Bytes, fromBase64, toBase64 } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";

/** The content of a PEM text. */
export interface PemBlock {
  /** As written, e.g. `ED25519 PUBLIC KEY`. */
  readonly type: string;
  readonly bytes: Bytes;
}

const publicKeySuffix = " PUBLIC KEY";
const lineLength = 64;

/** The PEM type of a public key: the scheme name in upper case, then ` PUBLIC KEY`. */
export function publicKeyPemType(scheme: string): string {
  return scheme.toUpperCase() + publicKeySuffix;
}

/** Encodes `bytes` as PEM of type `type`, ending in a newline. */
export function encodePem(type: string, bytes: Uint8Array): string {
  const lines = toBase64(bytes).match(new RegExp(`.{1,${lineLength}}`, "g")) ?? [];
  return [`-----BEGIN ${type}-----`, ...lines, `-----END ${type}-----`, ""].join("\n");
}

/** A raw public key as PEM. */
export function encodePublicKeyPem(scheme: string, publicKey: Uint8Array): string {
  return encodePem(publicKeyPemType(scheme), publicKey);
}

/**
 * Reads the first PEM block of `text`.
 * @param wantedType the required type, in any case; by default any type.
 * @throws ProtocolError when there is none, or it is damaged or of another type.
 */
export function decodePem(text: string, wantedType?: string): PemBlock {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const start = lines.findIndex((line) => /^-----BEGIN .+-----$/.test(line));
  const type = lines[start]?.slice("-----BEGIN ".length, -"-----".length) ?? "";
  const end = lines.indexOf(`-----END ${type}-----`, start + 1);
  if (start < 0 || end < 0) {
    throw new ProtocolError(`failed to decode PEM data${wantedType ? ` of ${wantedType}` : ""}`);
  }
  if (wantedType !== undefined && type.toUpperCase() !== wantedType.toUpperCase()) {
    throw new ProtocolError(`PEM data is of type ${type}, wanted ${wantedType}`);
  }
  try {
    return { type, bytes: fromBase64(lines.slice(start + 1, end).join("")) };
  } catch {
    // The text may hold a private key, so the error does not repeat it.
    throw new ProtocolError(`PEM data of type ${type} is not base64`);
  }
}

/**
 * Reads a public key.
 * @returns the scheme's name, in upper case as in the type, and the raw key.
 * @throws ProtocolError when it is not PEM, or holds something else.
 */
export function decodePublicKeyPem(text: string): { scheme: string; publicKey: Bytes } {
  const { type, bytes } = decodePem(text);
  const upper = type.toUpperCase();
  if (!upper.endsWith(publicKeySuffix)) {
    throw new ProtocolError(`PEM data is of type ${type}, wanted a public key`);
  }
  return { scheme: upper.slice(0, -publicKeySuffix.length), publicKey: bytes };
}
