/** The hash that identifies keys, nodes and geometries: unkeyed BLAKE2b with 32 bytes of output. */
import { blake2b } from "@noble/hashes/blake2.js";
import type { Bytes } from "./bytes.js";

/** BLAKE2b-256 of `data`: 32 bytes. spec/mixnet calls it H256. */
export function hash256(data: Uint8Array): Bytes {
  return blake2b(data, { dkLen: 32 }) as Bytes;
}
