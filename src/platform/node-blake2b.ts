/**
 * BLAKE2b-256 in WebAssembly. `node:crypto` has BLAKE2b only with 64 bytes of output, and in
 * JavaScript an envelope takes 45 microseconds, here two.
 */
import { createRequire } from "node:module";
import type { IHasher } from "hash-wasm";
import type { Bytes } from "../bytes/bytes.js";

let hasher: IHasher | null = null;
let asked = false;

/**
 * Compiling takes a moment. Where the package cannot be loaded, as in a bundle of one file,
 * `hasher` stays null.
 */
async function load(): Promise<void> {
  try {
    // Only this algorithm: the package's main file has thirty and takes four times as long to load.
    const file = "hash-wasm/dist/blake2b.umd.min.js";
    const { createBLAKE2b } = createRequire(import.meta.url)(file) as typeof import("hash-wasm");
    hasher = await createBLAKE2b(256);
  } catch {
    hasher = null;
  }
}

/**
 * BLAKE2b-256 of the parts, one after the other; null as long as it cannot be computed here: at
 * first, or for good.
 */
export function blake2b256(parts: readonly Uint8Array[]): Bytes | null {
  if (hasher === null) {
    if (!asked) void load();
    asked = true;
    return null;
  }
  hasher.init();
  for (const part of parts) hasher.update(part);
  return hasher.digest("binary") as Bytes;
}
