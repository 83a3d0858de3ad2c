/** The primitives that Node's OpenSSL does several times faster than JavaScript. */
import {
  type KeyObject,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  timingSafeEqual,
  verify,
} from "node:crypto";
import { type Bytes, checkBytes, copyBytes } from "../bytes/bytes.js";
import { checkHkdfSizes } from "./hkdf-sizes.js";

const TAG_LENGTH = 16;

function base64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

// Keys go in as JWK on purpose: that way takes the 32 bytes as they are, while PKCS#8 and SPKI pass
// OpenSSL's decoders. Measured on Node 20: 47 instead of 426 microseconds for a private key (the
// rest is the public half, which OpenSSL always computes), 10 instead of 90 for a public one.
function privateKeyObject(privateKey: Uint8Array): KeyObject {
  const kept = privateKeyObjects.get(privateKey);
  privateKeyObjects.delete(privateKey);
  const key = kept && timingSafeEqual(kept.bytes, privateKey) ? kept : importPrivateKey(privateKey);
  privateKeyObjects.set(privateKey, key);
  if (privateKeyObjects.size > keptPrivateKeys) {
    privateKeyObjects.delete(privateKeyObjects.keys().next().value!);
  }
  return key.object;
}

function importPrivateKey(privateKey: Uint8Array): ImportedKey {
  const key = { kty: "OKP", crv: "X25519", d: base64Url(privateKey), x: "" };
  return { bytes: copyBytes(privateKey), object: createPrivateKey({ key, format: "jwk" }) };
}

interface ImportedKey {
  readonly bytes: Bytes;
  readonly object: KeyObject;
}

/** More than are in use at a time: a few of each replica, and those of the envelopes under way. */
const keptPrivateKeys = 64;
// A private key is used two or three times (its public half, a secret a recipient), a replica's for
// every envelope. So the newest imports are kept, by the array that the caller holds; one whose
// contents changed is imported anew. Not in a WeakMap: what it holds outlives the collections of
// young objects, and tens of thousands of OpenSSL's keys then go at once, a tenth of a second long.
const privateKeyObjects = new Map<Uint8Array, ImportedKey>();

function publicKeyObject(curve: "X25519" | "Ed25519", publicKey: Uint8Array): KeyObject {
  const key = { kty: "OKP", crv: curve, x: base64Url(publicKey) };
  return createPublicKey({ key, format: "jwk" });
}

/** See the contract. @throws TypeError or RangeError when the key is not 32 bytes. */
export function x25519PublicKey(privateKey: Uint8Array): Bytes {
  checkBytes("privateKey", privateKey, 32);
  const { x } = privateKeyObject(privateKey).export({ format: "jwk" });
  return copyBytes(Buffer.from(x as string, "base64url"));
}

/** See the contract. @throws TypeError or RangeError when a key is not 32 bytes. */
export function x25519SharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Bytes {
  checkBytes("privateKey", privateKey, 32);
  checkBytes("publicKey", publicKey, 32);
  const keys = {
    privateKey: privateKeyObject(privateKey),
    publicKey: publicKeyObject("X25519", publicKey),
  };
  let secret: Buffer;
  try {
    secret = diffieHellman(keys);
  } catch (cause) {
    // OpenSSL refuses an all-zero result, and nothing else can fail with two good keys.
    throw new RangeError("`publicKey` must not be of low order", { cause });
  }
  return copyBytes(secret);
}

/** See the contract. */
export function ed25519Verify(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  try {
    return verify(null, message, publicKeyObject("Ed25519", publicKey), signature);
  } catch {
    // Some versions refuse a public key that is no point when it is imported, others at the check.
    return false;
  }
}

/** See the contract: 32-byte key, 12-byte nonce. @throws TypeError or RangeError on other sizes. */
export function chacha20Poly1305Seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
): Bytes {
  checkBytes("key", key, 32);
  checkBytes("nonce", nonce, 12);
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
  const sealed = new Uint8Array(plaintext.length + TAG_LENGTH);
  sealed.set(cipher.update(plaintext));
  cipher.final();
  sealed.set(cipher.getAuthTag(), plaintext.length);
  return sealed;
}

/** See the contract: 32-byte key, 12-byte nonce. @throws TypeError or RangeError on other sizes. */
export function chacha20Poly1305Open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
): Bytes | null {
  checkBytes("key", key, 32);
  checkBytes("nonce", nonce, 12);
  if (sealed.length < TAG_LENGTH) return null;
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_LENGTH));
  const plaintext = copyBytes(decipher.update(sealed.subarray(0, sealed.length - TAG_LENGTH)));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return plaintext;
}

/** See the contract. @throws RangeError on sizes that {@link checkHkdfSizes} refuses. */
export function hkdfBlake2b512(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Bytes {
  checkHkdfSizes(info, length);
  return new Uint8Array(hkdfSync("blake2b512", ikm, salt, info, length));
}

/** See the contract. */
export function sha512(...parts: readonly Uint8Array[]): Bytes {
  const state = createHash("sha512");
  for (const part of parts) state.update(part);
  return copyBytes(state.digest());
}

/** See the contract. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const state = createHmac("sha256", key);
  for (const part of parts) state.update(part);
  return copyBytes(state.digest());
}

/** See the contract. @throws TypeError or RangeError on other sizes of key and iv. */
export function aes256Ctr(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Bytes {
  checkBytes("key", key, 32);
  checkBytes("iv", iv, 16);
  return copyBytes(createCipheriv("aes-256-ctr", key, iv).update(data));
}

/** See the contract. */
export function shake256(length: number, ...parts: readonly Uint8Array[]): Bytes {
  const state = createHash("shake256", { outputLength: length });
  for (const part of parts) state.update(part);
  return copyBytes(state.digest());
}
