/** The hash that identifies keys, nodes and geometries: unkeyed BLAKE2b with 32 bytes of output. */
import { blake2b } from "@noble/hashes/blake2.js";
import type { Bytes } from "./bytes.js";

/**
 * Shortest input that a platform's own hash is given, in bytes. Secrets are shorter: none is left
 * in memory that is not ours.
 */
const LONG_INPUT = 256;

/** Hashes long inputs; null when it cannot, or not yet. */
type LongInputHash = (data: Uint8Array) => Bytes | null;

let ofLongInputs: LongInputHash | null = null;

/** Has long inputs hashed by `hash`, which a platform has where it is faster. */
export function hashLongInputsBy(hash: LongInputHash): void {
  ofLongInputs = hash;
}

/** BLAKE2b-256 of `data`: 32 bytes. spec/mixnet calls it H256. */
export function hash256(data: Uint8Array): Bytes {
  const hash = data.length >= LONG_INPUT ? ofLongInputs?.(data) : null;
  return hash ?? (blake2b(data, { dkLen: 32 }) as Bytes);
}
