/** Providers that compute CTIDH1024: a pool of workers, or the caller's own thread. */
import {
  type Bytes,
  type RandomSource,
  checkBytes,
  randomBytes,
  toHex,
} from "../../bytes/bytes.js";
import { RecentlyUsed } from "../../bytes/recently-used.js";
import type { NikeKeyPair, NikeScheme } from "../nike/scheme.js";
import {
  CTIDH1024_PRIVATE_KEY_LENGTH,
  CTIDH1024_PUBLIC_KEY_LENGTH,
  generatePrivateKey,
  groupAction,
  invalidPublicKeyText,
  publicKeyOf,
  validatePublicKey,
} from "./ctidh1024.js";
import { keptVerdicts } from "./validate.js";

/** Options of every operation that may take long. */
export interface CtidhCallOptions {
  /** Aborting rejects with the signal's reason at once. */
  readonly signal?: AbortSignal | undefined;
}

/** CTIDH1024 with asynchronous results. Wrong keys reject with TypeError or RangeError. */
export interface CtidhProvider {
  /** A new key pair, drawn from `random` (the platform's generator by default). */
  generate(random?: RandomSource, options?: CtidhCallOptions): Promise<NikeKeyPair>;
  /** The public key (128 bytes) of a private key (130 bytes). */
  publicKeyOf(privateKey: Uint8Array, options?: CtidhCallOptions): Promise<Bytes>;
  /** The shared secret (128 bytes, not hashed); validates the public key first. */
  sharedSecret(
    privateKey: Uint8Array,
    publicKey: Uint8Array,
    options?: CtidhCallOptions,
  ): Promise<Bytes>;
  /** Whether a public key (128 bytes) is valid. Results are remembered. */
  validate(publicKey: Uint8Array, options?: CtidhCallOptions): Promise<boolean>;
}

/**
 * A provider that computes on the calling thread, for places without workers: each call blocks the
 * thread for hundreds of milliseconds.
 */
export function inlineCtidh(): CtidhProvider {
  const verdicts = new RecentlyUsed<string, boolean>(keptVerdicts);
  const isValid = (publicKey: Uint8Array): boolean => {
    const key = toHex(publicKey);
    let verdict = verdicts.get(key);
    if (verdict === undefined) {
      verdict = validatePublicKey(publicKey);
      verdicts.set(key, verdict);
    }
    return verdict;
  };
  return {
    async generate(random = randomBytes, options) {
      options?.signal?.throwIfAborted();
      const privateKey = generatePrivateKey(random);
      return { publicKey: publicKeyOf(privateKey), privateKey };
    },
    async publicKeyOf(privateKey, options) {
      options?.signal?.throwIfAborted();
      return publicKeyOf(privateKey);
    },
    async sharedSecret(privateKey, publicKey, options) {
      options?.signal?.throwIfAborted();
      checkBytes("privateKey", privateKey, CTIDH1024_PRIVATE_KEY_LENGTH);
      checkBytes("publicKey", publicKey, CTIDH1024_PUBLIC_KEY_LENGTH);
      if (!isValid(publicKey)) throw new RangeError(invalidPublicKeyText);
      return groupAction(publicKey, privateKey);
    },
    async validate(publicKey, options) {
      options?.signal?.throwIfAborted();
      checkBytes("publicKey", publicKey, CTIDH1024_PUBLIC_KEY_LENGTH);
      return isValid(publicKey);
    },
  };
}

/** The NIKE scheme `ctidh1024`, computed by `provider`. */
export function ctidh1024Nike(provider: CtidhProvider): NikeScheme {
  return {
    name: "ctidh1024",
    publicKeyLength: CTIDH1024_PUBLIC_KEY_LENGTH,
    privateKeyLength: CTIDH1024_PRIVATE_KEY_LENGTH,
    generate: (random) => provider.generate(random),
    publicKeyOf: (privateKey) => provider.publicKeyOf(privateKey),
    sharedSecret: (privateKey, publicKey) => provider.sharedSecret(privateKey, publicKey),
    async checkPublicKey(publicKey) {
      if (!(await provider.validate(publicKey))) throw new RangeError(invalidPublicKeyText);
    },
  };
}
