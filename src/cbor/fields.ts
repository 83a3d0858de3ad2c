/**
 * Reads the members of decoded maps. The meaning of an absent member differs on purpose:
 *
 * | maps | absent or null | why |
 * | --- | --- | --- |
 * | documents, certificates, descriptors (pki) | the zero value: the functions here | they are signed as they are, and their writers leave zeros out |
 * | geometries (pki), messages and descriptors of boxes (crypto) | an error: `required…` | a missing length or key has no harmless value |
 * | frames of a client's socket (wire) | by schema | one table gives reader, writer and type (`wire/schema.ts`) |
 *
 * The type of a present member is always checked.
 */
import { type Bytes, describeType, isBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import type { CborMap, CborValue } from "./cbor.js";

/** The error for a value of the wrong type, in any decoded map. */
export function wrongValue(path: string, wanted: string, value: unknown): ProtocolError {
  return new ProtocolError(`\`${path}\` must be ${wanted}, got ${describeType(value)}`);
}

/** The error for a member of the wrong type. */
export function wrongField(
  where: string,
  key: string,
  wanted: string,
  value: unknown,
): ProtocolError {
  return wrongValue(`${where}.${key}`, wanted, value);
}

/** Returns `value` as a map. @throws ProtocolError naming `where`. */
export function asMap(value: CborValue, where: string): CborMap {
  if (value instanceof Map) return value;
  throw wrongValue(where, "a map", value);
}

/** An integer from 0 to 2^53 - 1; 0 when absent. */
export function uintField(map: CborMap, key: string, where: string): number {
  const value = map.get(key);
  if (typeof value === "number" && value >= 0 && Number.isSafeInteger(value)) return value;
  if (value === undefined || value === null) return 0;
  throw wrongField(where, key, "an integer from 0 to 2^53 - 1", value);
}

/** A finite number; 0 when absent. */
export function numberField(map: CborMap, key: string, where: string): number {
  const value = map.get(key);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (value === undefined || value === null) return 0;
  throw wrongField(where, key, "a finite number", value);
}

/** A text string; empty when absent. */
export function textField(map: CborMap, key: string, where: string): string {
  const value = map.get(key);
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  throw wrongField(where, key, "a text string", value);
}

/** A boolean; false when absent. */
export function boolField(map: CborMap, key: string, where: string): boolean {
  const value = map.get(key);
  if (typeof value === "boolean") return value;
  if (value === undefined || value === null) return false;
  throw wrongField(where, key, "a boolean", value);
}

/** A byte string; empty when absent. */
export function bytesField(map: CborMap, key: string, where: string): Bytes {
  const value = map.get(key);
  if (isBytes(value)) return value;
  if (value === undefined || value === null) return new Uint8Array(0);
  throw wrongField(where, key, "a byte string", value);
}

/** An array; empty when absent. */
export function arrayField(map: CborMap, key: string, where: string): CborValue[] {
  const value = map.get(key);
  if (Array.isArray(value)) return value;
  if (value === undefined || value === null) return [];
  throw wrongField(where, key, "an array", value);
}

/** A map; null when absent. */
export function mapField(map: CborMap, key: string, where: string): CborMap | null {
  const value = map.get(key);
  if (value instanceof Map) return value;
  if (value === undefined || value === null) return null;
  throw wrongField(where, key, "a map", value);
}

/** An array of byte strings; empty when absent. */
export function bytesArrayField(map: CborMap, key: string, where: string): Bytes[] {
  const value = arrayField(map, key, where);
  for (const element of value) {
    if (!isBytes(element)) {
      throw wrongField(where, key, "an array of byte strings", element);
    }
  }
  return value as Bytes[];
}

/** An integer from 0 to 2^53 - 1. @throws ProtocolError when it is absent. */
export function requiredUint(map: CborMap, key: string, where: string): number {
  checkPresent(map, key, where, "an integer from 0 to 2^53 - 1");
  return uintField(map, key, where);
}

/** A text string. @throws ProtocolError when it is absent. */
export function requiredText(map: CborMap, key: string, where: string): string {
  checkPresent(map, key, where, "a text string");
  return textField(map, key, where);
}

/** A byte string, with `length` bytes if given. @throws ProtocolError when it is absent. */
export function requiredBytes(map: CborMap, key: string, where: string, length?: number): Bytes {
  checkPresent(map, key, where, "a byte string");
  const value = bytesField(map, key, where);
  if (length === undefined || value.length === length) return value;
  throw wrongField(where, key, `${length} bytes`, value);
}

/** An array of byte strings. @throws ProtocolError when it is absent. */
export function requiredBytesArray(map: CborMap, key: string, where: string): Bytes[] {
  checkPresent(map, key, where, "an array of byte strings");
  return bytesArrayField(map, key, where);
}

/** An unsigned integer of at most 64 bits. @throws ProtocolError when it is absent. */
export function requiredUint64(map: CborMap, key: string, where: string): bigint {
  const value = map.get(key);
  if (typeof value === "bigint" && value >= 0n) return value;
  if (typeof value === "number" && value >= 0 && Number.isSafeInteger(value)) return BigInt(value);
  throw wrongField(where, key, "an integer from 0 to 2^64 - 1", value);
}

function checkPresent(map: CborMap, key: string, where: string, wanted: string): void {
  const value = map.get(key);
  if (value === undefined || value === null) throw wrongField(where, key, wanted, value);
}
