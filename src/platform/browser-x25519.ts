/**
 * X25519 with WebCrypto: several times faster than in JavaScript, and not on this thread. Browsers
 * without it, and pages loaded by plain `http:` from another machine, compute in JavaScript.
 */
import { type Bytes, checkBytes, copyBytes, equalBytes, fromHex } from "../bytes/bytes.js";
import { x25519PublicKey, x25519SharedSecret } from "./browser-crypto.js";
import type { OffThreadX25519 } from "./contract.js";

/** The part of WebCrypto that is used here. */
interface Subtle {
  importKey(
    format: "pkcs8" | "raw",
    key: Uint8Array,
    algorithm: "X25519",
    extractable: boolean,
    usages: readonly "deriveBits"[],
  ): Promise<object>;
  deriveBits(
    algorithm: { readonly name: "X25519"; readonly public: object },
    key: object,
    length: 256,
  ): Promise<ArrayBuffer>;
}

/** The PKCS #8 header of a private key (RFC 8410 section 7). */
const PKCS8_PREFIX = fromHex("302e020100300506032b656e04220420");
/** The u-coordinate of the base point (RFC 7748 section 4.1). */
const BASE_POINT = new Uint8Array(32).fill(9, 0, 1);

async function derive(
  subtle: Subtle,
  privateKey: Uint8Array,
  publicKey: Uint8Array,
): Promise<Bytes> {
  const encoded = new Uint8Array(PKCS8_PREFIX.length + 32);
  encoded.set(PKCS8_PREFIX);
  encoded.set(privateKey, PKCS8_PREFIX.length);
  try {
    const [own, other] = await Promise.all([
      subtle.importKey("pkcs8", encoded, "X25519", false, ["deriveBits"]),
      subtle.importKey("raw", publicKey, "X25519", true, []),
    ]);
    try {
      return new Uint8Array(await subtle.deriveBits({ name: "X25519", public: other }, own, 256));
    } catch (cause) {
      // An all-zero result is refused; nothing else can fail with two valid keys.
      throw new RangeError("`publicKey` must not be of low order", { cause });
    }
  } finally {
    encoded.fill(0);
  }
}

/** Whether this browser computes X25519, and does so correctly. */
async function works(subtle: Subtle): Promise<boolean> {
  try {
    const one = new Uint8Array(32).fill(1);
    return equalBytes(await derive(subtle, one, BASE_POINT), x25519PublicKey(one));
  } catch {
    return false;
  }
}

let chosen: Promise<Subtle | null> | null = null;

function subtleWithX25519(): Promise<Subtle | null> {
  const { subtle } =
    (globalThis as { readonly crypto?: { readonly subtle?: Subtle } }).crypto ?? {};
  chosen ??=
    subtle === undefined ? Promise.resolve(null) : works(subtle).then((ok) => (ok ? subtle : null));
  return chosen;
}

/** See the contract. */
export const offThreadX25519: OffThreadX25519 | null = {
  async publicKey(privateKey) {
    checkBytes("privateKey", privateKey, 32);
    const [own, subtle] = [copyBytes(privateKey), await subtleWithX25519()];
    try {
      return subtle === null ? x25519PublicKey(own) : await derive(subtle, own, BASE_POINT);
    } finally {
      own.fill(0);
    }
  },
  async sharedSecret(privateKey, publicKey) {
    checkBytes("privateKey", privateKey, 32);
    checkBytes("publicKey", publicKey, 32);
    const own = copyBytes(privateKey);
    const other = copyBytes(publicKey);
    try {
      const subtle = await subtleWithX25519();
      return await (subtle === null ? x25519SharedSecret(own, other) : derive(subtle, own, other));
    } finally {
      own.fill(0);
    }
  },
};
