/**
 * Encryption at rest. Every value of a store is sealed separately and bound to its key, so that
 * values cannot be swapped.
 */
import { gcmsiv } from "@noble/ciphers/aes.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { scryptAsync } from "@noble/hashes/scrypt.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concatBytes, randomBytes, utf8 } from "../bytes/bytes.js";

/** Length of the salt that a store keeps beside its sealed values, in bytes. */
export const SALT_LENGTH = 32;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const info = utf8("katzenpost-thinclient channels v1");

/**
 * The cost of a passphrase: 2^17 rounds of scrypt, with 128 MiB of memory for less than a second.
 * OWASP recommends at least these numbers for the storage of passwords.
 */
const passphraseCost = { N: 2 ** 17, r: 8, p: 1, dkLen: 32 };

/** The secret that opens a store's values. */
export type StoreSecret =
  | {
      /** 32 random bytes. */
      readonly key: Uint8Array;
    }
  | {
      /** Any text. Choose a long one, because anyone who has the files can try passphrases. */
      readonly passphrase: string;
    };

/** How a store's values are sealed and opened. */
export interface ValueSeal {
  /** The bytes to store for `value` under `name`. */
  seal(name: string, value: Uint8Array): Uint8Array;
  /** The value; null if it is damaged, or was sealed with another key or for another name. */
  open(name: string, stored: Uint8Array): Uint8Array | null;
}

/** Leaves values unencrypted. */
export const plainValues: ValueSeal = {
  seal: (_name, value) => value,
  open: (_name, stored) => stored,
};

/**
 * Seals values with AES-256-GCM-SIV (RFC 8452). The key comes from the secret and the salt by
 * HKDF-SHA-256.
 */
export async function sealedValues(secret: StoreSecret, salt: Uint8Array): Promise<ValueSeal> {
  const master =
    "key" in secret
      ? secret.key
      : await scryptAsync(utf8(secret.passphrase.normalize("NFKC")), salt, passphraseCost);
  const key = hkdf(sha256, master, salt, info, 32);
  return {
    seal(name, value): Bytes {
      const nonce = randomBytes(NONCE_LENGTH);
      return concatBytes(nonce, gcmsiv(key, nonce, utf8(name)).encrypt(value));
    },
    open(name, stored): Uint8Array | null {
      if (stored.length < NONCE_LENGTH + TAG_LENGTH) return null;
      const nonce = stored.subarray(0, NONCE_LENGTH);
      try {
        return gcmsiv(key, nonce, utf8(name)).decrypt(stored.subarray(NONCE_LENGTH));
      } catch {
        return null;
      }
    },
  };
}
