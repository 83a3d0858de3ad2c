/** What the link layer and KEM Sphinx need of a key encapsulation. spec/mixnet §1. */
import type { Bytes, RandomSource } from "../bytes/bytes.js";

/** A KEM key pair. */
export interface KemKeyPair {
  /** `publicKeyLength` bytes of the scheme. */
  readonly publicKey: Bytes;
  /**
   * `privateKeyLength` bytes of the scheme, in the layout that the network's PEM files have.
   * Secret.
   */
  readonly privateKey: Bytes;
}

/** What an encapsulation gives. */
export interface Encapsulation {
  /** `ciphertextLength` bytes of the scheme, for the owner of the key. */
  readonly ciphertext: Bytes;
  /** `sharedSecretLength` bytes of the scheme. Secret. */
  readonly sharedSecret: Bytes;
}

/** A KEM scheme. */
export interface KemScheme {
  /** Registered spelling, as it stands in the Noise protocol's name. */
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
  /** The public key of a private key. @throws TypeError or RangeError when its length is wrong. */
  publicKeyOf(privateKey: Uint8Array): Bytes;
  /**
   * A fresh secret, and its ciphertext for the owner of `publicKey`.
   * @throws RangeError when the key has a wrong length, is malformed or of low order.
   */
  encapsulate(publicKey: Uint8Array, random?: RandomSource): Encapsulation;
  /**
   * The secret in `ciphertext`. A damaged ciphertext gives another secret, as KEMs do, where it is
   * not refused.
   * @throws RangeError when a length is wrong, or the ciphertext's point is of low order.
   */
  decapsulate(privateKey: Uint8Array, ciphertext: Uint8Array): Bytes;
}
