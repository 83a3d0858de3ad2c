/** The interface of a KEM for the link layer and for KEM Sphinx (spec/mixnet §1). */
import type { Bytes, RandomSource } from "../bytes/bytes.js";

/** A KEM key pair. */
export interface KemKeyPair {
  /** `publicKeyLength` bytes of the scheme. */
  readonly publicKey: Bytes;
  /** `privateKeyLength` bytes of the scheme, in the layout of the network's PEM files. Secret. */
  readonly privateKey: Bytes;
}

/** The result of an encapsulation. */
export interface Encapsulation {
  /** `ciphertextLength` bytes of the scheme, for the owner of the key. */
  readonly ciphertext: Bytes;
  /** `sharedSecretLength` bytes of the scheme. Secret. */
  readonly sharedSecret: Bytes;
}

/** A KEM scheme. */
export interface KemScheme {
  /** Registered spelling, as in the Noise protocol's name. */
  readonly name: string;
  /** Length of a public key in bytes. */
  readonly publicKeyLength: number;
  /** Length of a private key in bytes. */
  readonly privateKeyLength: number;
  /** Length of a ciphertext in bytes. */
  readonly ciphertextLength: number;
  /** Length of a shared secret in bytes. */
  readonly sharedSecretLength: number;
  /** A new pair; its randomness comes from `random` (the platform's generator by default). */
  generate(random?: RandomSource): KemKeyPair;
  /** The public key of a private key. @throws TypeError or RangeError for a wrong length. */
  publicKeyOf(privateKey: Uint8Array): Bytes;
  /**
   * A fresh secret, and its ciphertext for the owner of `publicKey`.
   * @throws RangeError when the key has a wrong length, is malformed or of low order.
   */
  encapsulate(publicKey: Uint8Array, random?: RandomSource): Encapsulation;
  /**
   * The secret in `ciphertext`. As with all KEMs, a damaged ciphertext that is not refused gives
   * another secret.
   * @throws RangeError when a length is wrong, or the ciphertext's point is of low order.
   */
  decapsulate(privateKey: Uint8Array, ciphertext: Uint8Array): Bytes;
}
