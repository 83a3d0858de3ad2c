/**
 * Writes CBOR in canonical form (RFC 7049, section 3.9). It is our own, like the reader: a general
 * encoder's tables take six times as much of a page's bundle.
 */
import { type Bytes, isBytes } from "../bytes/bytes.js";
import type { CborKey, Encodable } from "./cbor.js";

/** Major types of RFC 8949, section 3.1, in the top three bits of the first byte. */
const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTE_STRING = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;

const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;
const UNDEFINED = 0xf7;
const HALF = 0xf9;
const SINGLE = 0xfa;
const DOUBLE = 0xfb;

const utf8 = new TextEncoder();

/**
 * The most encoded keys that are kept, and their longest length; the protocol has about a hundred.
 */
const MAX_KNOWN_KEYS = 512;
const MAX_KNOWN_KEY_LENGTH = 64;
const knownKeys = new Map<string, Bytes>();

/** Initial memory in bytes; larger memory is given away with the result. */
const SCRATCH_LENGTH = 8192;

/** A buffer for one value or several in sequence. */
export class CborWriter {
  #data = new Uint8Array(SCRATCH_LENGTH);
  #view = new DataView(this.#data.buffer);
  #at = 0;

  /** Number of bytes written but not taken. */
  get length(): number {
    return this.#at;
  }

  /** Leaves out `length` bytes, to be set later, and returns their offset. */
  skip(length: number): number {
    this.#reserve(length);
    const place = this.#at;
    this.#at += length;
    return place;
  }

  /** Sets four skipped bytes to a number, big-endian. */
  setUint32(place: number, value: number): void {
    this.#view.setUint32(place, value);
  }

  /** Drops everything after the first `length` bytes. */
  truncate(length: number): void {
    this.#at = length;
    if (length === 0 && this.#data.length > SCRATCH_LENGTH) this.#renew();
  }

  /** Returns what was written; the next value starts a new result. */
  take(): Bytes {
    const length = this.#at;
    this.#at = 0;
    if (this.#data.length === SCRATCH_LENGTH) return this.#data.slice(0, length);
    const data = this.#data;
    this.#renew();
    // Copy the result if much unused memory would be kept.
    return length < 0.75 * data.length ? data.slice(0, length) : data.subarray(0, length);
  }

  #renew(): void {
    this.#data = new Uint8Array(SCRATCH_LENGTH);
    this.#view = new DataView(this.#data.buffer);
  }

  /**
   * Appends a value.
   * @throws TypeError for a value that CBOR cannot represent; RangeError for integers beyond 64
   * bits.
   */
  write(value: Encodable): void {
    switch (typeof value) {
      case "number":
        this.#number(value);
        break;
      case "bigint":
        this.#bigint(value);
        break;
      case "string": {
        const bytes = utf8.encode(value);
        this.#head(TEXT, bytes.length);
        this.#append(bytes);
        break;
      }
      case "boolean":
        this.#byte(value ? TRUE : FALSE);
        break;
      case "undefined":
        this.#byte(UNDEFINED);
        break;
      case "object":
        this.#object(value);
        break;
      default:
        throw new TypeError(`a ${typeof value} cannot be encoded as CBOR`);
    }
  }

  #object(value: Extract<Encodable, object> | null): void {
    if (value === null) {
      this.#byte(NULL);
    } else if (isBytes(value)) {
      this.#head(BYTE_STRING, value.length);
      this.#append(value);
    } else if (Array.isArray(value)) {
      const elements = value as readonly Encodable[];
      this.#head(ARRAY, elements.length);
      for (const element of elements) this.write(element);
    } else if (value instanceof Map) {
      this.#map([...(value as ReadonlyMap<CborKey, Encodable>)]);
    } else {
      this.#record(value as { readonly [key: string]: Encodable });
    }
  }

  /** A plain object; the keys of most are already in order. */
  #record(value: { readonly [key: string]: Encodable }): void {
    const keys = Object.keys(value);
    let count = 0;
    let before: Bytes | null = null;
    for (const key of keys) {
      if (value[key] === undefined) continue;
      const encoded = encodeKey(key);
      if (before && compareKeys(before, encoded) > 0) {
        this.#map(Object.entries(value));
        return;
      }
      before = encoded;
      count++;
    }
    this.#head(MAP, count);
    for (const key of keys) {
      const member = value[key];
      if (member === undefined) continue;
      this.#append(encodeKey(key));
      this.write(member);
    }
  }

  #map(members: readonly (readonly [CborKey, Encodable])[]): void {
    const encoded: { readonly key: Bytes; readonly value: Encodable }[] = [];
    for (const [key, value] of members) {
      if (value !== undefined) encoded.push({ key: encodeKey(key), value });
    }
    encoded.sort((a, b) => compareKeys(a.key, b.key));
    this.#head(MAP, encoded.length);
    for (const { key, value } of encoded) {
      this.#append(key);
      this.write(value);
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) this.#float(value);
    else if (value >= 0) this.#head(UNSIGNED, value);
    else this.#head(NEGATIVE, -1 - value);
  }

  #bigint(value: bigint): void {
    const argument = value >= 0n ? value : -1n - value;
    const major = value >= 0n ? UNSIGNED : NEGATIVE;
    if (argument >> 64n !== 0n) throw new RangeError("an integer must fit into 64 bits");
    if (argument <= Number.MAX_SAFE_INTEGER) {
      this.#head(major, Number(argument));
      return;
    }
    this.#reserve(9);
    this.#view.setUint8(this.#at, (major << 5) | 27);
    this.#view.setBigUint64(this.#at + 1, argument);
    this.#at += 9;
  }

  /** A first byte with its argument, as short as possible. */
  #head(major: number, argument: number): void {
    const first = major << 5;
    this.#reserve(9);
    if (argument < 24) {
      this.#view.setUint8(this.#at, first | argument);
      this.#at += 1;
    } else if (argument < 0x100) {
      this.#view.setUint8(this.#at, first | 24);
      this.#view.setUint8(this.#at + 1, argument);
      this.#at += 2;
    } else if (argument < 0x1_0000) {
      this.#view.setUint8(this.#at, first | 25);
      this.#view.setUint16(this.#at + 1, argument);
      this.#at += 3;
    } else if (argument < 0x1_0000_0000) {
      this.#view.setUint8(this.#at, first | 26);
      this.#view.setUint32(this.#at + 1, argument);
      this.#at += 5;
    } else {
      this.#view.setUint8(this.#at, first | 27);
      this.#view.setBigUint64(this.#at + 1, BigInt(argument));
      this.#at += 9;
    }
  }

  #float(value: number): void {
    this.#reserve(9);
    const half = halfBits(value);
    if (half !== null) {
      this.#view.setUint8(this.#at, HALF);
      this.#view.setUint16(this.#at + 1, half);
      this.#at += 3;
    } else if (Math.fround(value) === value) {
      this.#view.setUint8(this.#at, SINGLE);
      this.#view.setFloat32(this.#at + 1, value);
      this.#at += 5;
    } else {
      this.#view.setUint8(this.#at, DOUBLE);
      this.#view.setFloat64(this.#at + 1, value);
      this.#at += 9;
    }
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#data[this.#at++] = value;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#data.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#data.length) return;
    // Room for more after a long byte string, but not twice its length, because replies may be kept
    // for long.
    const larger = new Uint8Array(Math.ceil(Math.max(1.25 * needed, 1.5 * this.#data.length)));
    larger.set(this.#data.subarray(0, this.#at));
    this.#data = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Unused writers: most messages fit into memory that an earlier one has left. */
const spares: CborWriter[] = [];
/** How many are kept: enough for the values written at one time and a key within them. */
const MOST_SPARES = 4;

/** Returns an empty writer; give it back afterwards. */
export function borrowWriter(): CborWriter {
  return spares.pop() ?? new CborWriter();
}

/** Gives a writer back, with any content. */
export function returnWriter(writer: CborWriter): void {
  writer.truncate(0);
  if (spares.length < MOST_SPARES) spares.push(writer);
}

function encodeKey(key: CborKey): Bytes {
  const known = typeof key === "string" ? knownKeys.get(key) : undefined;
  if (known) return known;
  const writer = borrowWriter();
  writer.write(key);
  const encoded = writer.take();
  returnWriter(writer);
  const isKept = encoded.length <= MAX_KNOWN_KEY_LENGTH && knownKeys.size < MAX_KNOWN_KEYS;
  if (typeof key === "string" && isKept) knownKeys.set(key, encoded);
  return encoded;
}

/** Shorter keys first; keys of equal length bytewise. */
function compareKeys(a: Bytes, b: Bytes): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return 0;
}

/**
 * The 16 bits of a number that half precision represents exactly; null for any other. Zero and other
 * safe integers are not written as floats.
 */
function halfBits(value: number): number | null {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Infinity) return sign | 0x7c00;
  if (size > 65_504) return null;
  // Below 2^-14 the exponent stays the same and the fraction loses its leading one.
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const fraction = (size / 2 ** exponent) * 1024;
  if (!Number.isInteger(fraction) || fraction >= 2048) return null;
  return sign | (fraction < 1024 ? fraction : ((exponent + 15) << 10) | (fraction - 1024));
}
