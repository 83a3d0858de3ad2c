/**
 * Reads CBOR (RFC 8949) in one pass over the bytes. It is our own: limits must be checked before
 * memory is taken, byte-string keys compared, text checked and tags skipped. A general decoder with
 * hooks for all that is half as fast.
 */
import { type Bytes, toHex, isBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import type { CborKey, CborMap, CborValue } from "./cbor.js";

/** Deepest nesting of arrays and maps that is accepted; Go's decoder has the same limit. */
export const MAX_CBOR_DEPTH = 32;
/**
 * The most elements of one array or pairs of one map that are accepted; the same as in Go's
 * decoder.
 */
export const MAX_CBOR_CONTAINER = 131_072;
/**
 * The most items of one message that are accepted: a million empty maps in 1 MB would take 220 MB.
 */
export const MAX_CBOR_ITEMS = 400_000;

/**
 * How many items may still be read. CBOR nested in byte strings, which is read separately, shares
 * the budget of its message: 39 MB of descriptors with separate budgets would take 4 GB.
 */
export class CborBudget {
  /** Items that may still be read. */
  left: number = MAX_CBOR_ITEMS;
}

/** The byte that ends an item of indefinite length (RFC 8949, section 3.2.1). */
const breakByte = 0xff;
/** The low five bits of a first byte that mean "indefinite length". */
const indefinite = 31;
/** Up to this length a loop over ASCII is faster than a decoder. */
const shortText = 32;

// A byte-order mark is part of the text here.
const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Longest map key that is remembered; the longest name in a message has 51 bytes. */
const longestKnownKey = 63;
/** Known map keys, each in the slot given by its bytes; a newer one replaces it. */
const knownKeys: (string | undefined)[] = Array.from({ length: 1024 }, () => undefined);

function malformed(what: string): ProtocolError {
  return new ProtocolError(`not well-formed CBOR: ${what}`);
}

function tooLarge(): ProtocolError {
  return new ProtocolError(`CBOR has a container of more than ${MAX_CBOR_CONTAINER} elements`);
}

/** One pass over one message. */
export class CborReader {
  readonly #data: Bytes;
  readonly #view: DataView;
  readonly #budget: CborBudget;
  #at = 0;
  #depth = 0;

  /**
   * @param bytes the bytes to read; a Buffer is allowed, but results are never Buffers.
   * @param budget of the message that contains them.
   */
  constructor(bytes: Uint8Array, budget: CborBudget = new CborBudget()) {
    this.#budget = budget;
    // A Buffer's slices would be views into its pool; a plain Uint8Array's are copies.
    const { buffer, byteOffset, byteLength } = bytes;
    this.#data = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  /**
   * Reads exactly one item, to the last byte.
   * @throws ProtocolError when the bytes are not a well-formed item, when bytes follow it, or when
   * a limit is exceeded.
   */
  readAll(): CborValue {
    const value = this.#item();
    if (this.#at !== this.#data.length) {
      throw malformed(`${this.#data.length - this.#at} bytes after the item`);
    }
    return value;
  }

  #item(): CborValue {
    for (;;) {
      const first = this.#first();
      const low = first & 31;
      switch (first >> 5) {
        case 0:
          return this.#argument(low);
        case 1:
          return negative(this.#argument(low));
        case 2:
          return low === indefinite ? this.#chunkedBytes() : this.#bytes(this.#length(low));
        case 3:
          return low === indefinite ? this.#chunkedText() : this.#text(this.#length(low));
        case 4:
          return this.#array(low);
        case 5:
          return this.#map(low);
        case 6:
          // Tags have no meaning in this protocol: the content is used as if there were no tag.
          this.#argument(low);
          break;
        default:
          return this.#simple(low);
      }
    }
  }

  /** The first byte of the next item. */
  #first(): number {
    if (--this.#budget.left < 0) {
      throw new ProtocolError(`CBOR holds more than ${MAX_CBOR_ITEMS} items`);
    }
    if (this.#at === this.#data.length) {
      throw malformed(this.#depth > 0 ? "not enough entries" : "cut off");
    }
    return this.#data[this.#at++]!;
  }

  #need(count: number): void {
    if (count > this.#data.length - this.#at) throw malformed("cut off");
  }

  /**
   * The number that starts with the first byte's low bits; any width is accepted
   * (spec/thin-protocol §3).
   */
  #argument(low: number): number | bigint {
    if (low < 24) return low;
    if (low > 27) throw malformed("a number of unknown width");
    const width = 1 << (low - 24);
    this.#need(width);
    const at = this.#at;
    this.#at += width;
    if (low === 24) return this.#data[at]!;
    if (low === 25) return this.#view.getUint16(at);
    if (low === 26) return this.#view.getUint32(at);
    const high = this.#view.getUint32(at);
    if (high < 2 ** 21) return high * 2 ** 32 + this.#view.getUint32(at + 4);
    return this.#view.getBigUint64(at);
  }

  /** The length of a string, checked against the available bytes. */
  #length(low: number): number {
    const length = this.#argument(low);
    if (typeof length === "bigint") throw malformed("cut off");
    this.#need(length);
    return length;
  }

  #bytes(length: number): Bytes {
    const end = this.#at + length;
    const copy = this.#data.slice(this.#at, end);
    this.#at = end;
    return copy;
  }

  #text(length: number): string {
    const data = this.#data;
    const start = this.#at;
    const end = start + length;
    this.#at = end;
    if (length <= shortText) {
      let text = "";
      let i = start;
      for (; i < end; i++) {
        const byte = data[i]!;
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (i === end) return text;
    }
    try {
      return strictText.decode(data.subarray(start, end));
    } catch (cause) {
      throw new ProtocolError("CBOR text is not UTF-8", { cause });
    }
  }

  /** Reads the chunks of a string of indefinite length (RFC 8949, section 3.2.3). */
  #chunks<T>(major: number, read: (length: number) => T): T[] {
    const chunks: T[] = [];
    while (!this.#atBreak()) {
      const first = this.#first();
      if (first >> 5 !== major || (first & 31) === indefinite) {
        throw malformed("a string with chunks of another type");
      }
      chunks.push(read(this.#length(first & 31)));
    }
    return chunks;
  }

  #chunkedBytes(): Bytes {
    const chunks = this.#chunks(2, (length) => this.#bytes(length));
    const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined;
  }

  #chunkedText(): string {
    return this.#chunks(3, (length) => this.#text(length)).join("");
  }

  /** Whether an item of indefinite length ends here; consumes the end. */
  #atBreak(): boolean {
    if (this.#at === this.#data.length) throw malformed("a string or container without an end");
    if (this.#data[this.#at] !== breakByte) return false;
    this.#at++;
    return true;
  }

  /** The announced number of elements or pairs, checked; Infinity for an indefinite length. */
  #enter(low: number, bytesEach: number): number {
    if (++this.#depth > MAX_CBOR_DEPTH) {
      throw new ProtocolError(`CBOR is nested deeper than ${MAX_CBOR_DEPTH}`);
    }
    if (low === indefinite) return Infinity;
    const count = this.#argument(low);
    const left = this.#data.length - this.#at;
    if (typeof count === "bigint" || count * bytesEach > left) {
      throw new ProtocolError(`CBOR announces ${count} elements, but only ${left} bytes are left`);
    }
    if (count > MAX_CBOR_CONTAINER) throw tooLarge();
    return count;
  }

  /** Whether a container that has `done` of `count` elements is complete. */
  #complete(done: number, count: number): boolean {
    if (count !== Infinity) return done === count;
    if (this.#atBreak()) return true;
    if (done < MAX_CBOR_CONTAINER) return false;
    throw tooLarge();
  }

  #array(low: number): CborValue[] {
    const count = this.#enter(low, 1);
    const array: CborValue[] = [];
    while (!this.#complete(array.length, count)) array.push(this.#item());
    this.#depth--;
    return array;
  }

  #map(low: number): CborMap {
    const count = this.#enter(low, 2);
    const map: CborMap = new Map();
    let byteKeys: Set<string> | null = null;
    for (let done = 0; !this.#complete(done, count); done++) {
      const key = this.#knownKey() ?? this.#item();
      if (typeof key === "object" && key !== null) {
        if (!isBytes(key)) throw malformed("a map key that is a container");
        byteKeys ??= new Set();
        // A Map would treat keys with the same bytes as different.
        const text = toHex(key);
        if (byteKeys.has(text)) {
          throw new ProtocolError("CBOR map has the same byte-string key twice");
        }
        byteKeys.add(text);
      }
      map.set(key as CborKey, this.#item());
      if (map.size !== done + 1) throw malformed("repeated map key");
    }
    this.#depth--;
    return map;
  }

  /**
   * A known map key, without decoding its text again; undefined if it is unknown. Every message has
   * the same few names, and decoding them takes half of the reading time.
   */
  #knownKey(): string | undefined {
    const data = this.#data;
    let start = this.#at + 1;
    let length = (data[this.#at] ?? 0) - 0x60;
    if (length === 24) length = data[start++] ?? 0;
    if (length < 1 || length > longestKnownKey || start + length > data.length) return undefined;
    const middle = data[start + (length >> 1)]!;
    const third = data[start + ((length * 3) >> 2)]!;
    const ends = data[start]! * 17 + data[start + length - 1]!;
    const slot = (length * 31 + ends + middle * 7 + third * 113) & 1023;
    const known = knownKeys[slot];
    if (known?.length === length) {
      let i = 0;
      while (i < length && known.charCodeAt(i) === data[start + i]) i++;
      if (i === length) {
        this.#first();
        this.#at = start + length;
        return known;
      }
    }
    const key = this.#item() as string;
    if (key.length === length) knownKeys[slot] = key;
    return key;
  }

  /** See spec/thin-protocol §3.3. */
  #simple(low: number): CborValue {
    switch (low) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 25:
        return this.#half();
      case 26:
        this.#need(4);
        this.#at += 4;
        return this.#view.getFloat32(this.#at - 4);
      case 27:
        this.#need(8);
        this.#at += 8;
        return this.#view.getFloat64(this.#at - 8);
      case indefinite:
        throw malformed("an end in an invalid place");
      default:
        throw malformed("an unknown simple value");
    }
  }

  /** A half-precision float (RFC 8949, appendix D). */
  #half(): number {
    const bits = this.#argument(25) as number;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const sign = bits & 0x8000 ? -1 : 1;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
}

/** -1 - `argument`; a number if that is safe. */
function negative(argument: number | bigint): number | bigint {
  if (typeof argument === "number" && argument < Number.MAX_SAFE_INTEGER) return -1 - argument;
  return -1n - BigInt(argument);
}
