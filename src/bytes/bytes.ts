/**
 * Byte arrays: hex, base64, UTF-8, comparison, concatenation and randomness.
 *
 * Everything returned is a fresh `Uint8Array` over its own `ArrayBuffer`, never a Node `Buffer` and
 * never a view into somebody else's memory.
 */

import type { Bytes } from "#bytes";

export type { Bytes };

declare const brand: unique symbol;

/** Bytes that the compiler distinguishes from all others by `Name`. */
export type Opaque<Name extends string> = Bytes & {
  /** Only for the compiler: it does not exist at run time. */
  readonly [brand]: Name;
};

/**
 * Bytes that do not hold a capability: plaintexts and payloads. A branded type such as `WriteCap`
 * does not fit here, so that a capability cannot be sent as a message by mistake.
 */
export type PlainBytes = Uint8Array & {
  /** Never present: branded types do not fit. */
  readonly [brand]?: never;
};

const encoder = new TextEncoder();
const lenientDecoder = new TextDecoder("utf-8");

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Bytes {
  return encoder.encode(text) as Bytes;
}

/**
 * Decodes `bytes` as UTF-8; malformed sequences become U+FFFD. For display, not for protocol text.
 */
export function utf8ToText(bytes: Uint8Array): string {
  return lenientDecoder.decode(bytes);
}

const hexDigits = utf8("0123456789abcdef");

/**
 * Lower-case hex of `bytes`. Decoding the digits at once takes half the time of appending them to a
 * string, and maps find such a string faster.
 */
export function toHex(bytes: Uint8Array): string {
  const digits = new Uint8Array(2 * bytes.length);
  let at = 0;
  for (const byte of bytes) {
    digits[at++] = hexDigits[byte >> 4]!;
    digits[at++] = hexDigits[byte & 0xf]!;
  }
  return lenientDecoder.decode(digits);
}

function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  if (code >= 65 && code <= 70) return code - 55;
  return -1;
}

/**
 * The bytes of a hex string in either case.
 * @throws TypeError when `text` is not a string; RangeError for an odd length or another character
 * (the error does not repeat the text, which may be a secret).
 */
export function fromHex(text: string): Bytes {
  if (typeof text !== "string") {
    throw new TypeError(`\`text\` must be a hex string, got ${describeType(text)}`);
  }
  if (text.length % 2 !== 0) {
    throw new RangeError(`\`text\` must have an even number of hex digits, got ${text.length}`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = hexValue(text.charCodeAt(2 * i));
    const low = hexValue(text.charCodeAt(2 * i + 1));
    if (high < 0 || low < 0) {
      throw new RangeError(`\`text\` must be hex, got another character near position ${2 * i}`);
    }
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 (RFC 4648 section 4) of `bytes`, padded. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b, c] = [bytes[i]!, bytes[i + 1], bytes[i + 2]];
    const group = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    text += base64Alphabet[group >> 18]! + base64Alphabet[(group >> 12) & 63]!;
    text += b === undefined ? "=" : base64Alphabet[(group >> 6) & 63]!;
    text += c === undefined ? "=" : base64Alphabet[group & 63]!;
  }
  return text;
}

/**
 * The bytes of a base64 string (RFC 4648 section 4, or section 5 for URLs; padding optional).
 * @throws TypeError when `text` is not a string; RangeError when it is not base64.
 */
export function fromBase64(text: string): Bytes {
  if (typeof text !== "string") {
    throw new TypeError(`\`text\` must be a base64 string, got ${describeType(text)}`);
  }
  const digits = text
    .replace(/={1,2}$/, "")
    .replaceAll("-", "+")
    .replaceAll("_", "/");
  if (digits.length % 4 === 1)
    throw new RangeError("`text` must be base64, got an incomplete group");
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < digits.length; i++) {
    const value = base64Alphabet.indexOf(digits[i]!);
    if (value < 0) {
      throw new RangeError(`\`text\` must be base64, got another character at position ${i}`);
    }
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 0xff;
    }
  }
  return bytes;
}

/** Whether both hold the same bytes. The time depends only on the lengths, not on the contents. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Bytewise order: negative, 0 or positive if `a` sorts before, with or after `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Concatenates the parts. */
export function concatBytes(...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** A copy that owns its memory and is a plain `Uint8Array`, whatever subclass `bytes` is. */
export function copyBytes(bytes: Uint8Array): Bytes {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  return copy;
}

/** A source of random bytes. Tests pass a seeded one; all other code uses {@link randomBytes}. */
export type RandomSource = (length: number) => Bytes;

/** `length` bytes from the platform's cryptographic generator. */
export function randomBytes(length: number): Bytes {
  const bytes = new Uint8Array(length);
  // getRandomValues returns at most 65,536 bytes per call (Web Cryptography API, section 10.1.1).
  for (let at = 0; at < length; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, length)));
  }
  return bytes;
}

/** Random bytes drawn in advance for IDs: the generator costs as much for 4,096 as for 16. */
let drawn = new Uint8Array(0);

/**
 * `length` (at most 64) random bytes for an ID. They are as unpredictable as {@link randomBytes},
 * but drawn in advance. Do not use them for keys, which should not be in memory before they are
 * needed.
 */
export function randomName(length: number): Bytes {
  if (drawn.length < length) drawn = randomBytes(4096);
  const name = drawn.slice(0, length);
  drawn.fill(0, 0, length);
  drawn = drawn.subarray(length);
  return name;
}

const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)!.get!;

/**
 * Whether `value` is a `Uint8Array` of any realm. Test environments and frames have their own
 * classes, so `instanceof` is false for their bytes. No other object passes.
 */
export function isBytes(value: unknown): value is Uint8Array {
  return typedArrayName.call(value) === "Uint8Array";
}

const arrayBufferLength = Object.getOwnPropertyDescriptor(
  ArrayBuffer.prototype,
  "byteLength",
)!.get!;

/** Whether `value` is an `ArrayBuffer` of any realm. Shared memory does not pass. */
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  try {
    arrayBufferLength.call(value);
    return true;
  } catch {
    return false;
  }
}

/** Describes `value` for error texts: its type or class, never its contents. */
export function describeType(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (isBytes(value)) return `${value.length} bytes`;
  if (typeof value === "object") return value.constructor?.name ?? "an object";
  if (typeof value === "string") return `a string of ${value.length} characters`;
  return typeof value;
}

/**
 * Checks that an argument is a byte array with the right length.
 * @throws TypeError when it is not a `Uint8Array`, RangeError when its length differs; both name
 * the argument, what was wanted and what it got, never its contents.
 */
export function checkBytes(
  name: string,
  value: unknown,
  length?: number,
): asserts value is Uint8Array {
  if (isBytes(value) && (length === undefined || value.length === length)) return;
  if (!isBytes(value)) {
    throw new TypeError(`\`${name}\` must be a Uint8Array, got ${describeType(value)}`);
  }
  throw new RangeError(`\`${name}\` must be ${length} bytes, got ${value.length}`);
}

/**
 * The bytes of an argument that may be a text: its UTF-8 bytes, or the array itself.
 * @throws TypeError when it is neither; it names the argument and what it got, never its contents.
 */
export function textOrBytes(name: string, value: unknown): Bytes {
  if (typeof value === "string") return utf8(value);
  if (isBytes(value)) return value as Bytes;
  throw new TypeError(`\`${name}\` must be a Uint8Array or a string, got ${describeType(value)}`);
}
