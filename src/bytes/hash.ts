/** The hash that identifies keys, nodes and geometries: unkeyed BLAKE2b with 32 bytes of output. */
import { blake2b } from "@noble/hashes/blake2.js";
import { type Bytes, checkBytes } from "./bytes.js";

/**
 * Shortest input for a platform's own hash, all parts together, in bytes. Secrets are shorter, so
 * none is left in memory that we do not control.
 */
const LONG_INPUT = 256;

/** Hashes long inputs, given in parts; null if it cannot do that (yet). */
type LongInputHash = (parts: readonly Uint8Array[]) => Bytes | null;

let ofLongInputs: LongInputHash | null = null;

/** Uses `hash` for long inputs, if a platform has a faster one. */
export function hashLongInputsBy(hash: LongInputHash): void {
  ofLongInputs = hash;
}

/** BLAKE2b-256 of the parts, one after the other: 32 bytes. spec/mixnet calls it H256. */
export function hash256(...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const hash = length >= LONG_INPUT ? ofLongInputs?.(parts) : null;
  if (hash) return hash;
  const state = blake2b.create({ dkLen: 32 });
  for (const part of parts) state.update(part);
  return state.digest() as Bytes;
}

/**
 * The reference's `blake2_256_sum`: BLAKE2b-256 of `data`, 32 bytes.
 * @throws TypeError when `data` is not a Uint8Array.
 */
export function blake2256Sum(data: Uint8Array): Bytes {
  checkBytes("data", data);
  return hash256(data);
}
