/**
 * Checks on arguments of Pigeonhole calls. A real daemon disconnects a client that sends a
 * capability or index of the wrong length (spec/thin-protocol §10, defect 13), so the client checks
 * them before it sends.
 */
import { checkBytes, describeType, isBytes } from "../bytes/bytes.js";
import type { MessageBoxIndex, ReadCap, WriteCap } from "../bytes/opaque.js";

const WRITE_CAP_LENGTH = 168;
const READ_CAP_LENGTH = 136;

/** @throws TypeError, RangeError when `value` is not a WriteCap of 168 bytes. */
export function checkWriteCap(name: string, value: unknown): asserts value is WriteCap {
  if (isBytes(value) && value.length === READ_CAP_LENGTH) {
    throw new RangeError(
      `\`${name}\` must be a WriteCap of ${WRITE_CAP_LENGTH} bytes, got ${READ_CAP_LENGTH}, ` +
        "the length of a ReadCap, which does not give the right to write",
    );
  }
  checkBytes(name, value, WRITE_CAP_LENGTH);
}

/** @throws TypeError, RangeError when `value` is not a ReadCap of 136 bytes. */
export function checkReadCap(name: string, value: unknown): asserts value is ReadCap {
  if (isBytes(value) && value.length === WRITE_CAP_LENGTH) {
    throw new RangeError(
      `\`${name}\` must be a ReadCap of ${READ_CAP_LENGTH} bytes, got ${WRITE_CAP_LENGTH}, ` +
        "the length of a WriteCap, which gives the right to write",
    );
  }
  checkBytes(name, value, READ_CAP_LENGTH);
}

/** @throws TypeError, RangeError when `value` is not a MessageBoxIndex of 104 bytes. */
export function checkBoxIndex(name: string, value: unknown): asserts value is MessageBoxIndex {
  checkBytes(name, value, 104);
}

/** @throws TypeError, RangeError when `value` is not a byte array of at least one byte. */
export function checkSomeBytes(name: string, value: unknown): asserts value is Uint8Array {
  checkBytes(name, value);
  if (value.length === 0) throw new RangeError(`\`${name}\` must be at least 1 byte, got 0`);
}

/** @throws RangeError when `value` is not an integer from 0 to `maximum`. */
export function checkInteger(
  name: string,
  value: unknown,
  maximum: number,
): asserts value is number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maximum) {
    return;
  }
  const got = typeof value === "number" ? String(value) : describeType(value);
  throw new RangeError(`\`${name}\` must be an integer from 0 to ${maximum}, got ${got}`);
}

/** @throws TypeError when `value` is neither a function nor undefined. */
export function checkCallback(name: string, value: unknown): void {
  if (value === undefined || typeof value === "function") return;
  throw new TypeError(`\`${name}\` must be a function, got ${describeType(value)}`);
}
