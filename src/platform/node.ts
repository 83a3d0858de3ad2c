/** The platform as Node has it. */
import { readFile } from "node:fs/promises";
import type * as contract from "./contract.js";
import type * as here from "./node.js";
import { nodeTooOld } from "./node-version.js";

export { dialTcp, dialUnix, dialWs } from "./node-dial.js";
export { onProcessEnd } from "./node-process-end.js";
export {
  chacha20Poly1305Open,
  chacha20Poly1305Seal,
  ed25519Verify,
  hkdfBlake2b512,
  sha512,
  x25519PublicKey,
  x25519SharedSecret,
} from "./node-crypto.js";

const tooOld = nodeTooOld(process.versions.node);
if (tooOld !== null) throw new Error(tooOld);

/** The text of a file (UTF-8). @throws The system's error, e.g. with the code `ENOENT`. */
export function readText(path: string): Promise<string> {
  return readFile(path, "utf8");
}

/** Compiles only while this file honours the contract. */
export type Honours<T extends typeof contract = typeof here> = T;
