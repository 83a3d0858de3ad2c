/**
 * Checks on arguments of Pigeonhole calls. A real daemon disconnects a client that sends a
 * capability or index of the wrong length (spec/thin-protocol §10, defect 13), so the client checks
 * them before it sends.
 */
import { checkBytes, describeType } from "../bytes/bytes.js";
import type { MessageBoxIndex } from "../bytes/opaque.js";

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
