/** Objects as lines of JSON that are safe to show on a terminal. */
import { toBase64, toHex } from "katzenpost-thinclient";
import { replaceSteering } from "./printable.js";

/**
 * An object as one line of JSON: bytes in hex (in base 64 under a name that ends in `Base64`), big
 * integers as text, dates in ISO 8601, maps as objects (byte keys in hex), undefined left out.
 * Characters that control a terminal are escaped.
 */
export function toJson(record: object): string {
  const json = JSON.stringify(plain(record, ""));
  return replaceSteering(json, escaped);
}

/** JSON escapes have only four digits, so a character above U+FFFF is a pair of surrogates. */
function escaped(code: number): string {
  const units = String.fromCodePoint(code).split("");
  return units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

function plain(value: unknown, name: string): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) {
    return name.endsWith("Base64") ? toBase64(value) : toHex(value);
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map((element) => plain(element, name));
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const members = entries.map(([key, member]: [unknown, unknown]) => {
    const text = key instanceof Uint8Array ? toHex(key) : String(key);
    return [text, plain(member, text)] as const;
  });
  return Object.fromEntries(members);
}
