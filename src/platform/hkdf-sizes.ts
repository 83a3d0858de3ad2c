/** The size limits of HKDF on both platforms, so that code that runs on one runs on the other. */
import { checkBytes } from "../bytes/bytes.js";

/** Longest `info` in bytes: Node's own limit. */
const LONGEST_INFO = 1024;
/** Longest output in bytes: 255 blocks of 64 (RFC 5869 section 2.3). */
const LONGEST_OUTPUT = 255 * 64;

/**
 * Checks the sizes of an HKDF-BLAKE2b-512 call.
 * @throws TypeError when `info` is not a byte array; RangeError when it is longer than 1024 bytes, or
 * `length` is not a whole number from 1 to 16320.
 */
export function checkHkdfSizes(info: Uint8Array, length: number): void {
  checkBytes("info", info);
  if (info.length > LONGEST_INFO) {
    throw new RangeError(`\`info\` must be at most ${LONGEST_INFO} bytes, got ${info.length}`);
  }
  if (!Number.isInteger(length) || length < 1 || length > LONGEST_OUTPUT) {
    throw new RangeError(
      `\`length\` must be a whole number from 1 to ${LONGEST_OUTPUT}, got ${length}`,
    );
  }
}
