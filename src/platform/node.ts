/** The platform of Node. */
import { readFile } from "node:fs/promises";
import { hashLongInputsBy } from "../bytes/hash.js";
import type * as contract from "./contract.js";
import type * as here from "./node.js";
import { blake2b256 } from "./node-blake2b.js";
import { nodeTooOld } from "./node-version.js";

export { crc32 } from "./node-crc32.js";
export { dialTcp, dialUnix, dialWs } from "./node-dial.js";
export { onProcessEnd } from "./node-process-end.js";
export {
  aes256Ctr,
  blake2b512,
  chacha20Poly1305Open,
  chacha20Poly1305Seal,
  ed25519Verify,
  hkdfBlake2b512,
  hmacSha256,
  sha512,
  shake256,
  x25519PublicKey,
  x25519SharedSecret,
} from "./node-crypto.js";
export { gunzip, gzip } from "./node-gzip.js";
export { spawnCtidhWorker } from "./node-worker.js";

/** None: `node:crypto`, which answers at once, is faster than a message to another thread. */
export const offThreadX25519: contract.OffThreadX25519 | null = null;

hashLongInputsBy(blake2b256);

/** Never calls back, because sockets tell Node when they are gone. */
export function onWake(_callback: () => void): () => void {
  return () => {};
}

const tooOld = nodeTooOld(process.versions.node);
if (tooOld !== null) throw new Error(tooOld);

/** Reads a text file (UTF-8). @throws The system's error, e.g. with the code `ENOENT`. */
export function readText(path: string): Promise<string> {
  return readFile(path, "utf8");
}

/** Compiles only if this file satisfies the contract. */
export type Honours<T extends typeof contract = typeof here> = T;
