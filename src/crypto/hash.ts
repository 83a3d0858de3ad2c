/** The one hash that Pigeonhole uses for names and keys. */
import { blake2b } from "@noble/hashes/blake2.js";
import type { Bytes } from "../bytes/bytes.js";

/** BLAKE2b-256, unkeyed (32 bytes), of the parts one after the other. RFC 7693. */
export function blake2b256(...parts: readonly Uint8Array[]): Bytes {
  const hash = blake2b.create({ dkLen: 32 });
  for (const part of parts) hash.update(part);
  return hash.digest() as Bytes;
}
