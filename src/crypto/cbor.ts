/**
 * The CBOR of crypto messages: maps with a few known text keys. When read, keys may come in any
 * order, and everything else must be exact. Canonical is RFC 7049, section 3.9.
 */
import {
  type Bytes,
  checkBytes,
  concatBytes,
  copyBytes,
  describeType,
  isBytes,
} from "../bytes/bytes.js";
import { decodeCbor, encodeCbor } from "../cbor/cbor.js";
import { ProtocolError } from "../errors/errors.js";

/**
 * Longest input that is decoded, in bytes. These messages travel in one box; the ceiling keeps a
 * document of empty maps, which takes 200 times its size as objects, from filling the memory.
 */
const maxInputLength = 131_072;

/** A value such a map may hold. */
export type CborField = Uint8Array | string | bigint | number | readonly Uint8Array[];

/** Canonical CBOR of a map with text keys. */
export function encodeCborMap(fields: Readonly<Record<string, CborField>>): Bytes {
  return encodeCbor(fields);
}

/** CBOR of a map with text keys in the order given: the one message that is not canonical. */
export function encodeOrderedCborMap(fields: Readonly<Record<string, CborField>>): Bytes {
  const entries = Object.entries(fields);
  if (entries.length > 23) throw new RangeError("`fields` must be at most 23");
  const head = Uint8Array.of(0xa0 + entries.length);
  return concatBytes(head, ...entries.flat().map((item) => encodeCbor(item)));
}

/** A decoded map: each getter checks the type of one field and throws ProtocolError otherwise. */
export class CborMap {
  readonly #what: string;
  readonly #fields: ReadonlyMap<unknown, unknown>;

  /**
   * Decodes `bytes`, all of them.
   * @param what names the message in error texts.
   * @throws ProtocolError when they are no CBOR map, too long, or followed by other bytes.
   */
  constructor(what: string, bytes: Uint8Array) {
    checkBytes(what, bytes);
    this.#what = what;
    if (bytes.length > maxInputLength) {
      throw new ProtocolError(`${what}: ${bytes.length} bytes exceed ${maxInputLength}`);
    }
    let value: unknown;
    try {
      value = decodeCbor(bytes);
    } catch (cause) {
      throw new ProtocolError(`${what}: not the CBOR expected`, { cause });
    }
    if (!(value instanceof Map)) {
      throw new ProtocolError(`${what}: must be a map, got ${describeType(value)}`);
    }
    this.#fields = value;
  }

  #wrong(key: string, wanted: string): ProtocolError {
    const got = describeType(this.#fields.get(key));
    return new ProtocolError(`${this.#what}: \`${key}\` must be ${wanted}, got ${got}`);
  }

  /** A byte string, of `length` bytes when given. */
  bytes(key: string, length?: number): Bytes {
    const value = this.#fields.get(key);
    if (!isBytes(value) || (length !== undefined && value.length !== length)) {
      throw this.#wrong(key, length === undefined ? "bytes" : `${length} bytes`);
    }
    return copyBytes(value);
  }

  /** An array of byte strings. */
  byteArrays(key: string): Bytes[] {
    const value = this.#fields.get(key);
    if (!Array.isArray(value)) throw this.#wrong(key, "an array of byte strings");
    return value.map((item) => {
      if (!isBytes(item)) throw this.#wrong(key, "an array of byte strings");
      return copyBytes(item);
    });
  }

  /** A text string. */
  text(key: string): string {
    const value = this.#fields.get(key);
    if (typeof value !== "string") throw this.#wrong(key, "text");
    return value;
  }

  /** An unsigned integer of at most 64 bits. */
  unsigned(key: string): bigint {
    const value = this.#fields.get(key);
    if ((typeof value !== "number" || !Number.isSafeInteger(value)) && typeof value !== "bigint") {
      throw this.#wrong(key, "an unsigned integer");
    }
    const integer = BigInt(value);
    if (integer < 0n) throw this.#wrong(key, "an unsigned integer");
    return integer;
  }
}
