/** The hash that identifies keys, nodes and geometries: unkeyed BLAKE2b with 32 bytes of output. */
import { blake2b } from "@noble/hashes/blake2.js";
import type { Bytes } from "./bytes.js";

/**
 * Shortest input for a platform's own hash, in bytes. Secrets are shorter, so none is left in
 * memory that we do not control.
 */
const LONG_INPUT = 256;

/** Hashes long inputs; null if it cannot do that (yet). */
type LongInputHash = (data: Uint8Array) => Bytes | null;

let ofLongInputs: LongInputHash | null = null;

/** Uses `hash` for long inputs, if a platform has a faster one. */
export function hashLongInputsBy(hash: LongInputHash): void {
  ofLongInputs = hash;
}

/** BLAKE2b-256 of `data`: 32 bytes. spec/mixnet calls it H256. */
export function hash256(data: Uint8Array): Bytes {
  const hash = data.length >= LONG_INPUT ? ofLongInputs?.(data) : null;
  return hash ?? (blake2b(data, { dkLen: 32 }) as Bytes);
}
