/**
 * Encryption at rest: every value of a store is sealed on its own, and bound to its key, so that
 * values cannot be exchanged for each other.
 */
import { gcmsiv } from "@noble/ciphers/aes.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { scryptAsync } from "@noble/hashes/scrypt.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concatBytes, copyBytes, randomBytes, utf8 } from "../bytes/bytes.js";

/** Length of the salt that a store keeps beside its sealed values, in bytes. */
export const SALT_LENGTH = 32;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const info = utf8("katzenpost-thinclient channels v1");

/**
 * Cost of a passphrase: 2^17 rounds of scrypt, 128 MiB of memory for less than a second. OWASP
 * names these numbers for interactive use.
 */
const passphraseCost = { N: 2 ** 17, r: 8, p: 1, dkLen: 32 };

/** What opens a store's values. */
export type StoreSecret =
  | {
      /** 32 random bytes. */
      readonly key: Uint8Array;
    }
  | {
      /** Any text; a long one, for anyone who has the files can try. */
      readonly passphrase: string;
    };

/** How a store's values are written and read. */
export interface ValueSeal {
  /** What is stored for `value` under `name`. */
  seal(name: string, value: Uint8Array): Uint8Array;
  /** The value; null when it is damaged, was sealed with another key, or for another name. */
  open(name: string, stored: Uint8Array): Uint8Array | null;
}

/** Values as they are. */
export const plainValues: ValueSeal = {
  seal: (_name, value) => value,
  open: (_name, stored) => stored,
};

/** Seals values by AES-256-GCM-SIV (RFC 8452), key by HKDF-SHA-256 from the secret and the salt. */
export async function sealedValues(secret: StoreSecret, salt: Uint8Array): Promise<ValueSeal> {
  const master =
    "key" in secret
      ? copyBytes(secret.key)
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
