/**
 * The primitives in JavaScript, for browsers and for what a runtime's `node:crypto` lacks. Tests
 * check that results and errors equal Node's.
 */
import { ctr } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { Point } from "@noble/ed25519";
import { blake2b } from "@noble/hashes/blake2.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 as hash } from "@noble/hashes/sha2.js";
import { shake256 as shake } from "@noble/hashes/sha3.js";
import { type Bytes, checkBytes, concatBytes, copyBytes, equalBytes } from "../bytes/bytes.js";
import { checkHkdfSizes } from "./hkdf-sizes.js";

const TAG_LENGTH = 16;
/** The order of the group that Ed25519's base point generates. */
const ORDER = Point.CURVE().n;

/** See the contract. @throws TypeError or RangeError when the key is not 32 bytes. */
export function x25519PublicKey(privateKey: Uint8Array): Bytes {
  checkBytes("privateKey", privateKey, 32);
  return copyBytes(x25519.getPublicKey(privateKey));
}

/** See the contract. @throws TypeError or RangeError when a key is not 32 bytes. */
export function x25519SharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Bytes {
  checkBytes("privateKey", privateKey, 32);
  checkBytes("publicKey", publicKey, 32);
  let secret: Uint8Array;
  try {
    secret = x25519.getSharedSecret(privateKey, publicKey);
  } catch (cause) {
    // An all-zero result is refused; nothing else can fail with two valid keys.
    throw new RangeError("`publicKey` must not be of low order", { cause });
  }
  return copyBytes(secret);
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

/**
 * See the contract. Neither mode of the library's own `verify` gives these results: one accepts
 * more (it multiplies by the cofactor), the other less. So this decodes A leniently, computes S·B −
 * h·A, and compares its encoding with R (spec/pigeonhole §1.7). It uses the smaller library: with
 * the full curve library a page that only verifies would be 6 KiB larger.
 */
export function ed25519Verify(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const encodedR = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= ORDER) return false;
  let a: Point;
  try {
    a = Point.fromBytes(copyBytes(publicKey), true);
  } catch {
    return false;
  }
  const h = littleEndian(sha512(encodedR, publicKey, message)) % ORDER;
  // Nothing here is secret, so the faster variable-time multiplication is fine.
  const r = Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(h));
  return equalBytes(r.toBytes(), encodedR);
}

/**
 * See the contract: 32-byte key, 12-byte nonce. @throws TypeError or RangeError for other sizes.
 */
export function chacha20Poly1305Seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData?: Uint8Array,
  prefix: Uint8Array = new Uint8Array(0),
): Bytes {
  checkBytes("key", key, 32);
  checkBytes("nonce", nonce, 12);
  return concatBytes(prefix, chacha20poly1305(key, nonce, associatedData).encrypt(plaintext));
}

/**
 * See the contract: 32-byte key, 12-byte nonce. @throws TypeError or RangeError for other sizes.
 */
export function chacha20Poly1305Open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associatedData?: Uint8Array,
): Bytes | null {
  checkBytes("key", key, 32);
  checkBytes("nonce", nonce, 12);
  if (sealed.length < TAG_LENGTH) return null;
  try {
    return copyBytes(chacha20poly1305(key, nonce, associatedData).decrypt(sealed));
  } catch {
    return null;
  }
}

/** See the contract. @throws RangeError for sizes that {@link checkHkdfSizes} refuses. */
export function hkdfBlake2b512(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Bytes {
  checkHkdfSizes(info, length);
  return copyBytes(hkdf(blake2b, ikm, salt, info, length));
}

/** See the contract. */
export function sha512(...parts: readonly Uint8Array[]): Bytes {
  const state = hash.create();
  for (const part of parts) state.update(part);
  return copyBytes(state.digest());
}

/** See the contract. */
export function blake2b512(...parts: readonly Uint8Array[]): Bytes {
  const state = blake2b.create({ dkLen: 64 });
  for (const part of parts) state.update(part);
  return copyBytes(state.digest());
}

/** See the contract. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const state = hmac.create(sha256, key);
  for (const part of parts) state.update(part);
  return copyBytes(state.digest());
}

/** See the contract. @throws TypeError or RangeError for other sizes of key and iv. */
export function aes256Ctr(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Bytes {
  checkBytes("key", key, 32);
  checkBytes("iv", iv, 16);
  return copyBytes(ctr(key, iv).encrypt(data));
}

/** See the contract. */
export function shake256(length: number, ...parts: readonly Uint8Array[]): Bytes {
  const state = shake.create({ dkLen: length });
  for (const part of parts) state.update(part);
  return copyBytes(state.digest());
}
