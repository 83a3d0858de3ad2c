/**
 * The one place that reads and writes CBOR (RFC 8949), with the profile of the protocol page,
 * section 2: shortest integers and length-first key order out; in, what Go's decoder takes, within
 * limits that are checked before memory is taken.
 */
import { type DecodeOptions, Token, Tokenizer, Type, decode, encode } from "cborg";
import { type Bytes, concatBytes, toHex } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";

/** Keys of a decoded map. */
export type CborKey = string | number | bigint | Uint8Array | boolean | null;

/**
 * What decoding gives: byte strings are `Uint8Array`s, maps are `Map`s (their keys may be bytes or
 * numbers), integers above 2^53 are `bigint`s.
 */
export type CborValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Bytes
  | CborValue[]
  | CborMap;
export type CborMap = Map<CborKey, CborValue>;

/** What can be encoded: as {@link CborValue}, and plain objects, which become maps with text keys. */
export type Encodable =
  | CborValue
  | Uint8Array
  | readonly Encodable[]
  | ReadonlyMap<CborKey, Encodable>
  | { readonly [key: string]: Encodable };

/** Deepest nesting of arrays and maps that is read; Go's decoder has the same limit. */
export const MAX_CBOR_DEPTH = 32;
/** Most elements of one array and pairs of one map that are read; as Go's decoder. */
export const MAX_CBOR_CONTAINER = 131_072;
/** Most items of one message that are read: a million empty maps in 1 MB would take 220 MB. */
export const MAX_CBOR_ITEMS = 400_000;

const strictText = new TextDecoder("utf-8", { fatal: true });

interface Frame {
  /** Items still to come; Infinity for an indefinite length. */
  left: number;
  readonly isMap: boolean;
  keyNext: boolean;
}

/** First bytes of byte and text strings that come in chunks (RFC 8949, section 3.2.3). */
const CHUNKED_BYTES = 0x5f;
const CHUNKED_TEXT = 0x7f;
const BREAK = 0xff;

/** Refuses what costs too much before the decoder builds it, and text that is not UTF-8. */
class LimitingTokenizer extends Tokenizer {
  #items = 0;
  readonly #open: Frame[] = [];
  /** Whether a map with a byte-string key was seen; the decoder cannot tell such duplicates. */
  hasByteKeys = false;

  override next(): ReturnType<Tokenizer["next"]> {
    const first = this.data[this._pos];
    const chunked = first === CHUNKED_BYTES || first === CHUNKED_TEXT;
    const token = chunked ? this.#joinChunks(first) : this.#nextOfAnyKind();
    const major = token.type.major;
    if (major === Type.tag.major) return token;
    if (token.type === Type.break) {
      this.#leaveIndefinite();
    } else {
      const frame = this.#open.at(-1);
      if (frame) {
        if (frame.isMap) {
          if (frame.keyNext && major === Type.bytes.major) this.hasByteKeys = true;
          frame.keyNext = !frame.keyNext;
        }
        frame.left--;
      }
      if (major === Type.array.major || major === Type.map.major) {
        this.#enter(token.value as number, major === Type.map.major);
      }
    }
    for (let top = this.#open.at(-1); top && top.left <= 0; top = this.#open.at(-1)) {
      this.#open.pop();
    }
    return token;
  }

  #nextOfAnyKind(): ReturnType<Tokenizer["next"]> {
    const token = super.next();
    if (++this.#items > MAX_CBOR_ITEMS) {
      throw new ProtocolError(`CBOR holds more than ${MAX_CBOR_ITEMS} items`);
    }
    if (token.type.major === Type.string.major) checkText(token);
    return token;
  }

  /** The decoder knows no strings in chunks; Go's takes them, and each chunk is a string itself. */
  #joinChunks(first: number): Token {
    const type = first === CHUNKED_BYTES ? Type.bytes : Type.string;
    this._pos++;
    const chunks: Token[] = [];
    while (this.data[this._pos] !== BREAK) {
      if (this.done()) throw new ProtocolError("not well-formed CBOR: a string without its end");
      const chunk = this.#nextOfAnyKind();
      if (chunk.type !== type) {
        throw new ProtocolError("not well-formed CBOR: a string with chunks of another type");
      }
      chunks.push(chunk);
    }
    this._pos++;
    const values = chunks.map((chunk) => chunk.value as never);
    return new Token(type, type === Type.bytes ? concatBytes(...values) : values.join(""));
  }

  /** The decoder would take the end of a map for a value. */
  #leaveIndefinite(): void {
    const frame = this.#open.pop();
    if (frame && frame.left === Infinity && (!frame.isMap || frame.keyNext)) return;
    throw new ProtocolError("not well-formed CBOR: an end where none may be");
  }

  #enter(count: number, isMap: boolean): void {
    if (this.#open.length >= MAX_CBOR_DEPTH) {
      throw new ProtocolError(`CBOR is nested deeper than ${MAX_CBOR_DEPTH}`);
    }
    if (count !== Infinity) {
      const left = this.data.length - this._pos;
      if (count > MAX_CBOR_CONTAINER || count * (isMap ? 2 : 1) > left) {
        throw new ProtocolError(`CBOR announces ${count} elements where ${left} bytes are left`);
      }
    }
    this.#open.push({ left: isMap ? count * 2 : count, isMap, keyNext: true });
  }
}

function checkText(token: {
  readonly value?: unknown;
  readonly byteValue?: Uint8Array | undefined;
}): void {
  // The decoder replaces malformed UTF-8; only text that shows the replacement needs a second look.
  if (!(token.value as string).includes("\ufffd") || !token.byteValue) return;
  try {
    strictText.decode(token.byteValue);
  } catch (cause) {
    throw new ProtocolError("CBOR text is not UTF-8", { cause });
  }
}

// Tags carry no meaning in this protocol: the content is taken as if the tag were not there.
const ignoreTags = new Proxy({} as NonNullable<DecodeOptions["tags"]>, {
  get: () => (content: () => unknown) => content(),
});

function checkByteKeys(value: CborValue): void {
  if (Array.isArray(value)) value.forEach(checkByteKeys);
  if (!(value instanceof Map)) return;
  const seen = new Set<string>();
  for (const [key, member] of value) {
    checkByteKeys(member);
    if (!(key instanceof Uint8Array)) continue;
    const text = toHex(key);
    if (seen.has(text)) throw new ProtocolError("CBOR map has the same byte-string key twice");
    seen.add(text);
  }
}

/**
 * Reads exactly one CBOR item.
 * @throws ProtocolError when the bytes are not well-formed CBOR of the profile, when bytes follow the
 * item, or when a limit is passed.
 */
export function decodeCbor(bytes: Uint8Array): CborValue {
  // A Buffer's slices would be views into its pool; a plain Uint8Array's are copies.
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const options: DecodeOptions = {
    useMaps: true,
    rejectDuplicateMapKeys: true,
    allowIndefinite: true,
    strict: false,
    retainStringBytes: true,
    allowBigInt: true,
    allowUndefined: true,
    tags: ignoreTags,
  };
  const tokenizer = new LimitingTokenizer(data, options);
  options.tokenizer = tokenizer;
  try {
    const value = decode(data, options) as CborValue;
    if (tokenizer.hasByteKeys) checkByteKeys(value);
    return value;
  } catch (cause) {
    if (cause instanceof ProtocolError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    // The decoder's texts name positions and types, never contents, but for repeated keys.
    throw new ProtocolError(
      `not well-formed CBOR: ${why.replace(/repeat map key.*/s, "repeated map key")}`,
    );
  }
}

/**
 * Writes one value in canonical form: RFC 7049, section 3.9 (shortest integers and floats, map keys
 * by encoded length, then bytewise). Members whose value is `undefined` are left out.
 */
export function encodeCbor(value: Encodable): Bytes {
  return encode(value, { ignoreUndefinedProperties: true }) as Bytes;
}
