/** Small typed schemas that define both directions of the codec and the static types. */
import { type Bytes, isBytes } from "../bytes/bytes.js";
import type { CborValue, Encodable } from "../cbor/cbor.js";
import { wrongValue } from "../cbor/fields.js";

/** How a value of type `T` is represented on the wire. */
export interface Schema<T> {
  /**
   * Reads a decoded value. `undefined` means an absent key, which is treated like null.
   * @throws ProtocolError naming `path`.
   */
  decode(value: CborValue, path: string): T;
  /** Returns the wire's value; `undefined` leaves the key out. */
  encode(value: T): Encodable;
}

/** The type a schema reads and writes. */
export type TypeOf<S> = S extends Schema<infer T> ? T : never;

function byteSchema(minimum: number, maximum: number, wanted: string): Schema<Bytes> {
  return {
    decode(value, path) {
      if (!isBytes(value)) throw wrongValue(path, wanted, value);
      if (value.length < minimum || value.length > maximum) throw wrongValue(path, wanted, value);
      return value;
    },
    encode: (value) => value,
  };
}

/** A byte string of any length. */
export const bytes: Schema<Bytes> = byteSchema(0, Infinity, "a byte string");

/** A byte string with that length. Not generic: in a record its type would become `any`. */
export function bytesOfLength(length: number): Schema<Bytes> {
  return byteSchema(length, length, `${length} bytes`) as Schema<Bytes>;
}

/** A byte string with that length, with its opaque type. */
export function fixedBytes<T extends Bytes>(length: number): Schema<T> {
  return bytesOfLength(length) as Schema<T>;
}

/**
 * A byte string with the type `T` and any length: the receiver checks the length, not the codec.
 */
export function bytesAs<T extends Bytes>(): Schema<T> {
  return bytes as Schema<Bytes> as Schema<T>;
}

/** A text string. */
export const text: Schema<string> = {
  decode(value, path) {
    if (typeof value !== "string") throw wrongValue(path, "a text string", value);
    return value;
  },
  encode: (value) => value,
};

/** True or false; absent means false. */
export const bool: Schema<boolean> = {
  decode(value, path) {
    if (value === undefined || value === null) return false;
    if (typeof value !== "boolean") throw wrongValue(path, "a boolean", value);
    return value;
  },
  encode: (value) => value,
};

/** An unsigned integer up to `maximum` (at most 2^53 - 1); absent means 0. */
export function uint(maximum: number = Number.MAX_SAFE_INTEGER): Schema<number> {
  return {
    decode(value, path) {
      if (value === undefined || value === null) return 0;
      if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > maximum) {
        throw wrongValue(path, `an integer from 0 to ${maximum}`, value);
      }
      return value;
    },
    encode: (value) => value,
  };
}

/** An unsigned integer up to 2^64 - 1; absent means 0n. */
export const uint64: Schema<bigint> = {
  decode(value, path) {
    if (value === undefined || value === null) return 0n;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0) return BigInt(value);
    if (typeof value === "bigint" && value >= 0n && value < 1n << 64n) return value;
    throw wrongValue(path, "an integer from 0 to 2^64 - 1", value);
  },
  encode: (value) => (value <= Number.MAX_SAFE_INTEGER ? Number(value) : value),
};

/** Any value: read as decoded (absent means null), written as given. */
export const anything: Schema<CborValue | { readonly [key: string]: string | number }> = {
  decode: (value) => value ?? null,
  encode: (value) => value,
};

/** `inner`, or null if the key is absent or null; null is written as null. */
export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  return {
    decode: (value, path) =>
      value === undefined || value === null ? null : inner.decode(value, path),
    encode: (value) => (value === null ? null : inner.encode(value)),
  };
}

/** Like {@link nullable}, but null is left out when writing (Go's `omitempty`). */
export function optional<T>(inner: Schema<T>): Schema<T | null> {
  return {
    decode: (value, path) =>
      value === undefined || value === null ? null : inner.decode(value, path),
    encode: (value) => (value === null ? undefined : inner.encode(value)),
  };
}

/** A flag that is left out if false (Go's `omitempty`). */
export const omittedFlag: Schema<boolean> = {
  decode: bool.decode,
  encode: (value) => (value ? true : undefined),
};

/** An array; an absent one is not allowed. */
export function arrayOf<T>(inner: Schema<T>): Schema<T[]> {
  return {
    decode(value, path) {
      if (!Array.isArray(value)) throw wrongValue(path, "an array", value);
      return value.map((element, i) => inner.decode(element, `${path}[${i}]`));
    },
    encode: (value) => value.map((element) => inner.encode(element)),
  };
}

/** Members of any record: by our name, the key on the wire and the schema of the value. */
// oxlint-disable-next-line typescript/no-explicit-any -- a schema is invariant in its type
export type AnyFields = { readonly [name: string]: readonly [key: string, schema: Schema<any>] };

/**
 * The content of a map with these fields, by our names. It needs a name, otherwise the published
 * declarations would lose the comments on the fields in `F`.
 */
export type RecordOf<F extends AnyFields> = { readonly [N in keyof F]: TypeOf<F[N][1]> };

/**
 * A map with text keys: for each field our name, the wire's key and the schema. Unlisted keys are
 * ignored. Encoding needs every field.
 */
export function record<F extends AnyFields>(fields: F): Schema<RecordOf<F>> {
  const rows = Object.entries(fields).map(([name, [key, schema]]) => ({ name, key, schema }));
  return {
    decode(value, path) {
      if (!(value instanceof Map)) throw wrongValue(path, "a map", value);
      const result: Record<string, unknown> = {};
      for (const row of rows) {
        result[row.name] = row.schema.decode(value.get(row.key), `${path}.${row.key}`);
      }
      return result as RecordOf<F>;
    },
    encode(value) {
      const result: Record<string, Encodable> = {};
      for (const row of rows) {
        result[row.key] = row.schema.encode((value as Record<string, unknown>)[row.name]);
      }
      return result;
    },
  };
}
