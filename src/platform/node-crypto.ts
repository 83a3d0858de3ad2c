/**
 * The primitives that Node's OpenSSL computes several times faster than JavaScript. Each except
 * HMAC-SHA-256 is tested once, at its first use. If a runtime's `node:crypto` lacks it or computes
 * it incorrectly, JavaScript is used (Deno lacks BLAKE2b for HKDF, Bun also ChaCha20-Poly1305, and
 * newer Nodes expect keys in another form).
 */
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
import { createRequire } from "node:module";
import { type Bytes, checkBytes, copyBytes, toHex } from "../bytes/bytes.js";
import { RecentlyUsed } from "../bytes/recently-used.js";
import { checkHkdfSizes } from "./hkdf-sizes.js";

const TAG_LENGTH = 16;

type Primitives = typeof import("./browser-crypto.js");

let loaded: Primitives | null = null;

/**
 * The primitives in JavaScript. Loaded only when needed, because they take a fifth of the start
 * time.
 */
function inJavaScript(): Primitives {
  loaded ??= createRequire(import.meta.url)("./browser-crypto.js") as Primitives;
  return loaded;
}

/** Whether `compute` returns the bytes of `hex`; also false if it fails. */
function gives(hex: string, compute: () => Uint8Array | null): boolean {
  try {
    const bytes = compute();
    return bytes !== null && toHex(bytes) === hex;
  } catch {
    return false;
  }
}

/** Returns a function that calls `ask` once and remembers the answer. */
function once<T>(ask: () => T): () => T {
  let answer: { readonly is: T } | null = null;
  return () => (answer ??= { is: ask() }).is;
}

function base64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

// Keys are imported as JWK on purpose: JWK takes the 32 bytes directly, while PKCS#8 and SPKI pass
// through OpenSSL's decoders. Measured on Node 20: 47 microseconds, not 426, for a private key (the
// rest is the public key, which OpenSSL always computes), and 10, not 90, for a public key. Node
// 24.22 and newer require the correct public key in a private JWK; there PKCS#8 is equally fast.
function privateJwk(privateKey: Uint8Array): KeyObject {
  const key = { kty: "OKP", crv: "X25519", d: base64Url(privateKey), x: "" };
  return createPrivateKey({ key, format: "jwk" });
}

/** The PKCS#8 header of an X25519 private key, before its 32 bytes (RFC 8410 section 7). */
const PKCS8_HEADER = Buffer.from("302e020100300506032b656e04220420", "hex");

function privatePkcs8(privateKey: Uint8Array): KeyObject {
  const key = Buffer.concat([PKCS8_HEADER, privateKey]);
  const object = createPrivateKey({ key, format: "der", type: "pkcs8" });
  key.fill(0);
  return object;
}

/** How this runtime imports X25519 private keys; null if it cannot compute with them. */
const importX25519 = once(() => {
  // Bob's keys, Alice's public key and their shared secret, from RFC 7748 section 6.1.
  const bob = Buffer.from(
    "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    "hex",
  );
  const publicKey = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
  const alice = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
  const secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  return (
    [privateJwk, privatePkcs8].find(
      (take) =>
        gives(publicKey, () => publicHalf(take(bob))) &&
        gives(secret, () => sharedSecret(take(bob), Buffer.from(alice, "hex"))),
    ) ?? null
  );
});

function privateKeyObject(privateKey: Uint8Array, take: typeof privateJwk): KeyObject {
  const kept = privateKeyObjects.get(privateKey);
  if (kept && timingSafeEqual(kept.bytes, privateKey)) return kept.object;
  const object = take(privateKey);
  privateKeyObjects.set(privateKey, { bytes: copyBytes(privateKey), object });
  return object;
}

interface ImportedKey {
  readonly bytes: Bytes;
  readonly object: KeyObject;
}

/**
 * More than are in use at a time: a few of each replica, and those of the envelopes in progress.
 */
const keptPrivateKeys = 64;
// A private key is used two or three times (for its public key, and for one secret per recipient);
// a replica's key is used for every envelope. So the newest imports are kept, by the caller's
// array. If its contents change, the key is imported again. This is not a WeakMap, because its
// entries survive the collections of young objects, and then tens of thousands of OpenSSL keys are
// freed at once, which takes a tenth of a second.
const privateKeyObjects = new RecentlyUsed<Uint8Array, ImportedKey>(keptPrivateKeys);

/** Those of all replicas, and those of the envelopes and boxes in progress. */
const keptPublicKeys = 256;
// The replicas' keys are in every envelope, and within one process several replicas look at the
// same envelope or box. An import takes as long as a tenth to a third of what is done with the key.
const publicKeyObjects = {
  X25519: new RecentlyUsed<string, KeyObject>(keptPublicKeys),
  Ed25519: new RecentlyUsed<string, KeyObject>(keptPublicKeys),
};

function publicKeyObject(curve: "X25519" | "Ed25519", publicKey: Uint8Array): KeyObject {
  const x = base64Url(publicKey);
  const kept = publicKeyObjects[curve].get(x);
  if (kept) return kept;
  const object = createPublicKey({ key: { kty: "OKP", crv: curve, x }, format: "jwk" });
  publicKeyObjects[curve].set(x, object);
  return object;
}

/** A plain `Uint8Array` over the memory of a Buffer, copied only if the Buffer shares its memory. */
function ownBytes(buffer: Buffer): Bytes {
  const { buffer: memory, length } = buffer;
  return memory.byteLength === length ? new Uint8Array(memory as ArrayBuffer) : copyBytes(buffer);
}

function publicHalf(privateKey: KeyObject): Bytes {
  const { x } = privateKey.export({ format: "jwk" });
  return copyBytes(Buffer.from(x as string, "base64url"));
}

function sharedSecret(privateKey: KeyObject, publicKey: Uint8Array): Bytes {
  return ownBytes(diffieHellman({ privateKey, publicKey: publicKeyObject("X25519", publicKey) }));
}

/** See the contract. @throws TypeError or RangeError when the key is not 32 bytes. */
export function x25519PublicKey(privateKey: Uint8Array): Bytes {
  const take = importX25519();
  if (take === null) return inJavaScript().x25519PublicKey(privateKey);
  checkBytes("privateKey", privateKey, 32);
  return publicHalf(privateKeyObject(privateKey, take));
}

/** See the contract. @throws TypeError or RangeError when a key is not 32 bytes. */
export function x25519SharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Bytes {
  const take = importX25519();
  if (take === null) return inJavaScript().x25519SharedSecret(privateKey, publicKey);
  checkBytes("privateKey", privateKey, 32);
  checkBytes("publicKey", publicKey, 32);
  const key = privateKeyObject(privateKey, take);
  try {
    return sharedSecret(key, publicKey);
  } catch (cause) {
    // OpenSSL refuses an all-zero result; nothing else can fail with two valid keys.
    throw new RangeError("`publicKey` must not be of low order", { cause });
  }
}

function verifyNatively(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  try {
    return verify(null, message, publicKeyObject("Ed25519", publicKey), signature);
  } catch {
    // Some versions refuse a public key that is not a point at the import, others at the check.
    return false;
  }
}

/**
 * Whether the runtime accepts every point as a public key, as the reference does. Node 24.22 and
 * newer refuse points of low order, Deno those with a non-canonical encoding. The test uses the
 * identity in all its encodings: with R the identity and S zero, every message has a valid
 * signature.
 */
const takesEveryPoint = once(() => {
  const universal = new Uint8Array(64);
  universal[0] = 1;
  return [0x01, 0xee].every((first) =>
    [0x00, 0x80].every((sign) => {
      const identity = new Uint8Array(32).fill(first === 0x01 ? 0x00 : 0xff);
      identity[0] = first;
      identity[31] = (identity[31]! & 0x7f) | sign;
      return verifyNatively(universal, identity, identity);
    }),
  );
});

/** See the contract. */
export function ed25519Verify(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  if (verifyNatively(signature, message, publicKey)) return true;
  if (takesEveryPoint()) return false;
  try {
    return inJavaScript().ed25519Verify(signature, message, publicKey);
  } catch {
    // The JavaScript code could not be loaded, as in a single-file bundle: the runtime's result
    // stands.
    return false;
  }
}

/** Whether the runtime has ChaCha20-Poly1305. */
const hasChaCha20Poly1305 = once(() => {
  // One zero byte under a zero key and nonce; computed with two libraries.
  const zeros = new Uint8Array(32);
  const sealed = "9fbedcfd1809ff3c10adf8277fcc0581b8";
  return (
    gives(sealed, () => seal(zeros, zeros.subarray(0, 12), zeros.subarray(0, 1))) &&
    gives("00", () => open(zeros, zeros.subarray(0, 12), Buffer.from(sealed, "hex")))
  );
});

const nothing = new Uint8Array(0);

function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array = nothing,
  prefix: Uint8Array = nothing,
): Bytes {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
  if (associatedData.length > 0) {
    cipher.setAAD(associatedData, { plaintextLength: plaintext.length });
  }
  const sealed = new Uint8Array(prefix.length + plaintext.length + TAG_LENGTH);
  sealed.set(prefix);
  sealed.set(cipher.update(plaintext), prefix.length);
  cipher.final();
  sealed.set(cipher.getAuthTag(), prefix.length + plaintext.length);
  return sealed;
}

function open(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  associatedData: Uint8Array = nothing,
): Bytes | null {
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
  if (associatedData.length > 0) {
    decipher.setAAD(associatedData, { plaintextLength: sealed.length - TAG_LENGTH });
  }
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_LENGTH));
  const plaintext = ownBytes(decipher.update(sealed.subarray(0, sealed.length - TAG_LENGTH)));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return plaintext;
}

/**
 * See the contract: 32-byte key, 12-byte nonce. @throws TypeError or RangeError for other sizes.
 */
export function chacha20Poly1305Seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData?: Uint8Array,
  prefix?: Uint8Array,
): Bytes {
  checkBytes("key", key, 32);
  checkBytes("nonce", nonce, 12);
  if (!hasChaCha20Poly1305()) {
    return inJavaScript().chacha20Poly1305Seal(key, nonce, plaintext, associatedData, prefix);
  }
  return seal(key, nonce, plaintext, associatedData, prefix);
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
  if (!hasChaCha20Poly1305()) {
    return inJavaScript().chacha20Poly1305Open(key, nonce, sealed, associatedData);
  }
  return open(key, nonce, sealed, associatedData);
}

/** Whether the runtime has HKDF with BLAKE2b-512. */
const hasHkdfBlake2b512 = once(() =>
  // With empty inputs; computed with two libraries.
  gives("5206a97d30367ecb2db33721e4a74736", () => {
    const none = new Uint8Array(0);
    return new Uint8Array(hkdfSync("blake2b512", none, none, none, 16));
  }),
);

/** See the contract. @throws RangeError for sizes that {@link checkHkdfSizes} refuses. */
export function hkdfBlake2b512(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Bytes {
  checkHkdfSizes(info, length);
  if (!hasHkdfBlake2b512()) return inJavaScript().hkdfBlake2b512(ikm, salt, info, length);
  return new Uint8Array(hkdfSync("blake2b512", ikm, salt, info, length));
}

/** Whether the runtime has BLAKE2b-512. */
const hasBlake2b512 = once(() => {
  // The digest of the empty message; computed with two libraries.
  const nothing =
    "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419" +
    "d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce";
  return gives(nothing, () => createHash("blake2b512").digest());
});

/** See the contract. */
export function blake2b512(...parts: readonly Uint8Array[]): Bytes {
  if (!hasBlake2b512()) return inJavaScript().blake2b512(...parts);
  const state = createHash("blake2b512");
  for (const part of parts) state.update(part);
  return ownBytes(state.digest());
}

/** Whether the runtime has SHA-512. */
const hasSha512 = once(() => {
  // The digest of the empty message (FIPS 180-4).
  const nothing =
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" +
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
  return gives(nothing, () => createHash("sha512").digest());
});

/** See the contract. */
export function sha512(...parts: readonly Uint8Array[]): Bytes {
  if (!hasSha512()) return inJavaScript().sha512(...parts);
  const state = createHash("sha512");
  for (const part of parts) state.update(part);
  return ownBytes(state.digest());
}

/** See the contract. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  const state = createHmac("sha256", key);
  for (const part of parts) state.update(part);
  return ownBytes(state.digest());
}

/** Whether the runtime has AES-256 in counter mode. */
const hasAes256Ctr = once(() => {
  // 16 zero bytes under a zero key and counter; computed with two libraries.
  const zeros = new Uint8Array(32);
  return gives("dc95c078a2408989ad48a21492842087", () =>
    createCipheriv("aes-256-ctr", zeros, zeros.subarray(16)).update(zeros.subarray(16)),
  );
});

/** See the contract. @throws TypeError or RangeError for other sizes of key and iv. */
export function aes256Ctr(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Bytes {
  checkBytes("key", key, 32);
  checkBytes("iv", iv, 16);
  if (!hasAes256Ctr()) return inJavaScript().aes256Ctr(key, iv, data);
  return ownBytes(createCipheriv("aes-256-ctr", key, iv).update(data));
}

/** Whether the runtime has SHAKE256 with any output length. */
const hasShake256 = once(() =>
  // The output for the empty message (FIPS 202), one byte longer than the usual 32.
  gives("46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762fd7", () =>
    createHash("shake256", { outputLength: 33 }).digest(),
  ),
);

/** See the contract. */
export function shake256(length: number, ...parts: readonly Uint8Array[]): Bytes {
  if (!hasShake256()) return inJavaScript().shake256(length, ...parts);
  const state = createHash("shake256", { outputLength: length });
  for (const part of parts) state.update(part);
  return ownBytes(state.digest());
}
