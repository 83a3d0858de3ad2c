/** Key derivation, header stream, MAC and blinding of Sphinx. spec/mixnet §4.2. */
import { aes256Ctr, hmacSha256 } from "#platform";
import { chacha20 } from "@noble/ciphers/chacha.js";
import { expand } from "@noble/hashes/hkdf.js";
import { sha256, sha512_256 } from "@noble/hashes/sha2.js";
import { type Bytes, checkBytes, copyBytes, utf8 } from "../bytes/bytes.js";

/** Length of a header's MAC in bytes. */
export const MAC_LENGTH = 32;
/** Key (48 bytes) and IV (16) of a payload's cipher. */
export const PAYLOAD_KEY_LENGTH = 48 + 16;

const info = utf8("katzenpost-kdf-v0-hkdf-sha256");

/** The keys derived from a hop's shared secret. Secret. */
export interface HopKeys {
  /** Key of the MAC over the header, 32 bytes. */
  readonly headerMac: Bytes;
  /** Key of the stream that encrypts the routing information, 32 bytes. */
  readonly headerEncryption: Bytes;
  /** Its first counter block, 16 bytes; also the nonce of the payload's cipher. */
  readonly headerEncryptionIv: Bytes;
  /** Key of the payload's cipher, 48 bytes. */
  readonly payloadEncryption: Bytes;
  /** Seed of the blinding scalar, 32 bytes. */
  readonly blindingSeed: Bytes;
}

/** Derives the keys of a hop: HKDF-Expand with SHA-256, with the shared secret as the PRK. */
export function hopKeys(sharedSecret: Uint8Array): HopKeys {
  const all = copyBytes(expand(sha256, sharedSecret, info, 160));
  return {
    headerMac: all.slice(0, 32),
    headerEncryption: all.slice(32, 64),
    headerEncryptionIv: all.slice(64, 80),
    payloadEncryption: all.slice(80, 128),
    blindingSeed: all.slice(128, 160),
  };
}

/** `length` bytes of the ChaCha20 key stream of `seed` (32 bytes), with a zero nonce. */
export function deterministicBytes(seed: Uint8Array, length: number): Bytes {
  return copyBytes(chacha20(seed, new Uint8Array(12), new Uint8Array(length)));
}

/** The X25519 private key (32 bytes) that blinds a hop's group element for the next. */
export function blindingScalar(keys: HopKeys): Bytes {
  return deterministicBytes(keys.blindingSeed, 32);
}

/** `length` bytes of the stream that encrypts a hop's routing information. */
export function headerStream(keys: HopKeys, length: number): Bytes {
  return aes256Ctr(keys.headerEncryption, keys.headerEncryptionIv, new Uint8Array(length));
}

/** The MAC over a header in parts: 32 bytes. */
export function headerMac(keys: HopKeys, ...parts: readonly Uint8Array[]): Bytes {
  return hmacSha256(keys.headerMac, ...parts);
}

/** The tag by which a node detects a replayed packet: 32 bytes of SHA-512/256. */
export function replayTagOf(groupElement: Uint8Array): Bytes {
  checkBytes("groupElement", groupElement);
  return copyBytes(sha512_256(groupElement));
}

/** XORs `stream` into the first bytes of `bytes`, in place, and returns `bytes`. */
export function addStream(bytes: Bytes, stream: Uint8Array): Bytes {
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= stream[i]!;
  return bytes;
}
