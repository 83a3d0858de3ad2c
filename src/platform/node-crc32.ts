/** CRC-32 as quick as the runtime has it. */
import * as zlib from "node:zlib";
import { crc32 as portable } from "../bytes/crc32.js";

// Not in every runtime that is like Node, so it must not be imported by name.
const native = (zlib as { readonly crc32?: (bytes: Uint8Array, start?: number) => number }).crc32;

/** The CRC-32 of `bytes`, going on from `start`. */
export const crc32: (bytes: Uint8Array, start?: number) => number = native ?? portable;
