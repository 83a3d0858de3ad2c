/**
 * Reads the members of decoded maps: strict about the type of what is there, easy about what is
 * not. An absent member and null mean the same (spec/thin-protocol §2).
 */
import { type Bytes, describeType, isBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import type { CborMap, CborValue } from "../cbor/cbor.js";

/** The error for a member of the wrong type. */
export function wrongField(where: string, key: string, wanted: string, value: unknown): Error {
  return new ProtocolError(`\`${where}.${key}\` must be ${wanted}, got ${describeType(value)}`);
}

/** `value` as a map. @throws ProtocolError naming `where`. */
export function asMap(value: CborValue, where: string): CborMap {
  if (value instanceof Map) return value;
  throw new ProtocolError(`\`${where}\` must be a map, got ${describeType(value)}`);
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
