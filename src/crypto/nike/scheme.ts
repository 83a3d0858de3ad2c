/**
 * The interface of a non-interactive key exchange for MKEM (spec/pigeonhole §3).
 *
 * X25519 takes fractions of a millisecond and answers at once; CTIDH takes about a second and runs
 * in a worker. So each operation may return its result or a promise.
 */
import { type Bytes, type RandomSource, checkBytes } from "../../bytes/bytes.js";

/** A result, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/** A NIKE key pair. */
export interface NikeKeyPair {
  /** `publicKeyLength` bytes of the scheme: 32 with x25519, 160 with CTIDH1024-X25519. */
  readonly publicKey: Bytes;
  /** `privateKeyLength` bytes of the scheme: 32 with x25519, 162 with CTIDH1024-X25519. Secret. */
  readonly privateKey: Bytes;
}

/** A NIKE scheme. */
export interface NikeScheme {
  /** Canonical name, as in geometries and configurations. */
  readonly name: string;
  /** Length of a public key in bytes. */
  readonly publicKeyLength: number;
  /** Length of a private key in bytes. */
  readonly privateKeyLength: number;
  /** A new pair; the private key is drawn from `random` (the platform's generator by default). */
  generate(random?: RandomSource): MaybePromise<NikeKeyPair>;
  /** The public key of a private key. Throws or rejects with RangeError for a malformed one. */
  publicKeyOf(privateKey: Uint8Array): MaybePromise<Bytes>;
  /**
   * The raw shared secret, not hashed. Throws or rejects with RangeError for malformed keys, and
   * for a public key of low order, which leaves no secret.
   */
  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): MaybePromise<Bytes>;
  /**
   * Like {@link sharedSecret}, but hashed with BLAKE2b-256. A scheme that keeps secrets keeps their
   * hashes; the others leave this out.
   */
  hashedSecret?(privateKey: Uint8Array, publicKey: Uint8Array): MaybePromise<Bytes>;
  /** Checks a public key from outside. Throws or rejects with RangeError when it is malformed. */
  checkPublicKey(publicKey: Uint8Array): MaybePromise<void>;
}

/** Checks the length of a private key. @throws TypeError, RangeError. */
export function checkPrivateKeyLength(scheme: NikeScheme, privateKey: Uint8Array): void {
  checkBytes("privateKey", privateKey, scheme.privateKeyLength);
}

/** Checks the length of a public key. @throws TypeError, RangeError. */
export function checkPublicKeyLength(scheme: NikeScheme, publicKey: Uint8Array): void {
  checkBytes("publicKey", publicKey, scheme.publicKeyLength);
}
