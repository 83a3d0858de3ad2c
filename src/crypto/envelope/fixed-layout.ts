/**
 * Reads and writes packed big-endian messages (spec/pigeonhole §5).
 *
 * Messages are read from the front; bytes after the last field are ignored, which removes the
 * padding of Sphinx payloads.
 */
import { type Bytes, checkBytes } from "../../bytes/bytes.js";
import { ProtocolError } from "../../errors/errors.js";

/** Longest input of a reader: 16 MiB. */
const MAX_PARSE_SIZE = 16 * 1024 * 1024;

const tooShortText = "data too short";

/** Error text for an unknown type byte. */
export const UNKNOWN_TYPE_TEXT = "integer constraint violated";

/** Reads one field after the other; the results are copies, except where noted. */
export class FieldReader {
  readonly #bytes: Bytes;
  #at = 0;

  /**
   * @throws TypeError when `bytes` is not a Uint8Array; ProtocolError `input exceeds MaxParseSize`.
   */
  constructor(bytes: Uint8Array) {
    checkBytes("bytes", bytes);
    if (bytes.length > MAX_PARSE_SIZE) throw new ProtocolError("input exceeds MaxParseSize");
    // A plain view, because `slice` of a subclass may not copy.
    this.#bytes = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #advance(length: number): number {
    if (length > this.remaining) throw new ProtocolError(tooShortText);
    const start = this.#at;
    this.#at += length;
    return start;
  }

  /** An unsigned integer of up to 4 bytes. A DataView for each message would take longer. */
  #integer(length: number): number {
    const start = this.#advance(length);
    let value = 0;
    for (let i = start; i < start + length; i++) value = value * 256 + this.#bytes[i]!;
    return value;
  }

  /** An unsigned 8-bit integer. Throws ProtocolError `data too short`, as do all methods below. */
  u8(): number {
    return this.#integer(1);
  }

  /** An unsigned 16-bit integer. */
  u16(): number {
    return this.#integer(2);
  }

  /** An unsigned 32-bit integer. */
  u32(): number {
    return this.#integer(4);
  }

  /** An unsigned 64-bit integer. */
  u64(): bigint {
    if (this.remaining < 8) throw new ProtocolError(tooShortText);
    const high = BigInt(this.#integer(4));
    return (high << 32n) | BigInt(this.#integer(4));
  }

  /** `length` bytes. */
  take(length: number): Bytes {
    const start = this.#advance(length);
    return this.#bytes.slice(start, start + length);
  }

  /** A reader of the next `length` bytes, which are not copied. */
  within(length: number): FieldReader {
    const start = this.#advance(length);
    return new FieldReader(this.#bytes.subarray(start, start + length));
  }

  /** Whether all remaining bytes are zero. */
  get isPadding(): boolean {
    for (let at = this.#at; at < this.#bytes.length; at++) if (this.#bytes[at] !== 0) return false;
    return true;
  }

  /** All remaining bytes, which are not copied. */
  rest(): Bytes {
    return this.#bytes.subarray(this.#advance(this.remaining));
  }
}

function integer(name: string, value: number, bits: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** bits) return value;
  throw new RangeError(`\`${name}\` must be an unsigned ${bits}-bit integer, got ${value}`);
}

/** Writes one field after the other and checks each. */
export class FieldWriter {
  readonly #parts: (Uint8Array | number | bigint)[] = [];
  readonly #lengths: number[] = [];
  #length = 0;

  #push(part: Uint8Array | number | bigint, length: number): this {
    this.#parts.push(part);
    this.#lengths.push(length);
    this.#length += length;
    return this;
  }

  /** An unsigned 8-bit integer. Throws RangeError for any other value, as do all methods below. */
  u8(name: string, value: number): this {
    return this.#push(integer(name, value, 8), 1);
  }

  /** An unsigned 16-bit integer. */
  u16(name: string, value: number): this {
    return this.#push(integer(name, value, 16), 2);
  }

  /** An unsigned 32-bit integer. */
  u32(name: string, value: number): this {
    return this.#push(integer(name, value, 32), 4);
  }

  /** An unsigned 64-bit integer. */
  u64(name: string, value: bigint): this {
    if (typeof value !== "bigint" || value < 0n || value > 0xffff_ffff_ffff_ffffn) {
      throw new RangeError(`\`${name}\` must be a bigint of at most 64 bits, not negative`);
    }
    return this.#push(value, 8);
  }

  /**
   * The bytes themselves, which must have `length` if it is given. Throws TypeError, RangeError.
   */
  bytes(name: string, value: Uint8Array, length?: number): this {
    checkBytes(name, value, length);
    return this.#push(value, value.length);
  }

  /** Bytes after their 32-bit length. */
  prefixed(name: string, value: Uint8Array): this {
    checkBytes(name, value);
    return this.u32(name, value.length).bytes(name, value);
  }

  /** The fields of another writer, after their total length as 32 bits. */
  nested(name: string, fields: FieldWriter): this {
    this.u32(name, fields.#length);
    this.#parts.push(...fields.#parts);
    this.#lengths.push(...fields.#lengths);
    this.#length += fields.#length;
    return this;
  }

  /** All fields, followed by zeros up to `length` bytes. Throws RangeError when they do not fit. */
  finish(length: number = this.#length): Bytes {
    if (this.#length > length) {
      throw new RangeError(`data exceeds target size: ${this.#length} > ${length}`);
    }
    const message = new Uint8Array(length);
    let at = 0;
    for (let i = 0; i < this.#parts.length; i++) {
      const part = this.#parts[i]!;
      const width = this.#lengths[i]!;
      if (typeof part === "object") message.set(part, at);
      else if (typeof part === "bigint") new DataView(message.buffer).setBigUint64(at, part);
      // Each assignment keeps the lowest 8 bits.
      else for (let k = 0; k < width; k++) message[at + k] = part >>> (8 * (width - 1 - k));
      at += width;
    }
    return message;
  }
}
