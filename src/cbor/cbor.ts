/**
 * Reads and writes CBOR (RFC 8949) with the profile of spec/thin-protocol §2. Output has the
 * shortest integers and length-first key order. Input may be anything that Go's decoder accepts,
 * within limits that are checked before memory is taken.
 */
import type { Bytes } from "../bytes/bytes.js";
import { type CborBudget, CborReader } from "./cbor-reader.js";
import { borrowWriter, returnWriter } from "./cbor-writer.js";

export { CborBudget, MAX_CBOR_CONTAINER, MAX_CBOR_DEPTH, MAX_CBOR_ITEMS } from "./cbor-reader.js";

/** Keys of a decoded map. */
export type CborKey = string | number | bigint | Uint8Array | boolean | null;

/**
 * The result of decoding: byte strings are `Uint8Array`s, maps are `Map`s (their keys may be bytes
 * or numbers). Integers beyond 2^53 - 1, positive or negative, are `bigint`s.
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
/** A decoded map; keys are distinguished by type and value. */
export type CborMap = Map<CborKey, CborValue>;

/** What can be encoded: {@link CborValue}, and plain objects, which become maps with text keys. */
export type Encodable =
  | CborValue
  | Uint8Array
  | readonly Encodable[]
  | ReadonlyMap<CborKey, Encodable>
  | { readonly [key: string]: Encodable };

/**
 * Reads exactly one CBOR item.
 * @param budget shared by everything that is read from one message; a new one by default.
 * @throws ProtocolError when the bytes are not well-formed CBOR of the profile, when bytes follow
 * the item, or when a limit is exceeded.
 */
export function decodeCbor(bytes: Uint8Array, budget?: CborBudget): CborValue {
  return new CborReader(bytes, budget).readAll();
}

/**
 * Writes one value in canonical form: RFC 7049, section 3.9 (shortest integers and floats, map keys
 * by encoded length, then bytewise). Members whose value is `undefined` are left out.
 * @throws TypeError for a value that CBOR cannot represent; RangeError for integers beyond 64 bits.
 */
export function encodeCbor(value: Encodable): Bytes {
  const writer = borrowWriter();
  try {
    writer.write(value);
    return writer.take();
  } finally {
    returnWriter(writer);
  }
}
