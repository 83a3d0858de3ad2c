/** CRC-32, in the fastest form that the runtime has. */
import * as zlib from "node:zlib";
import { crc32 as portable } from "../bytes/crc32.js";

// Not every runtime like Node has it, so it must not be imported by name.
const native = (zlib as { readonly crc32?: (bytes: Uint8Array, start?: number) => number }).crc32;

/** The CRC-32 of `bytes`, continued from `start`. */
export const crc32: (bytes: Uint8Array, start?: number) => number = native ?? portable;
