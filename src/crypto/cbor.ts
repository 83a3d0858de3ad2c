/**
 * The CBOR of crypto messages: maps with a few known text keys. The decoder accepts the keys in any
 * order; everything else must be exact. "Canonical" means RFC 7049, section 3.9.
 */
import { type Bytes, checkBytes, concatBytes } from "../bytes/bytes.js";
import { type CborMap, type CborValue, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import { asMap } from "../cbor/fields.js";
import { ProtocolError } from "../errors/errors.js";

/**
 * Longest input that is decoded, in bytes. These messages travel in one box. The limit keeps a
 * document of empty maps, which takes 200 times its size as objects, from filling the memory.
 */
const maxInputLength = 131_072;

/** The values that such a map may hold. */
export type CborField = Uint8Array | string | bigint | number | readonly Uint8Array[];

/** Encodes a map with text keys as canonical CBOR. */
export function encodeCborMap(fields: Readonly<Record<string, CborField>>): Bytes {
  return encodeCbor(fields);
}

/** Encodes a map with text keys in the given order, for the one message that is not canonical. */
export function encodeOrderedCborMap(fields: Readonly<Record<string, CborField>>): Bytes {
  const entries = Object.entries(fields);
  if (entries.length > 23) throw new RangeError("`fields` must be at most 23");
  const head = Uint8Array.of(0xa0 + entries.length);
  return concatBytes(head, ...entries.flat().map((item) => encodeCbor(item)));
}

/**
 * Decodes all of `bytes` as a map; the `required…` functions of `cbor/fields.ts` read its members.
 * @param what names the message in error texts.
 * @throws ProtocolError when they are not a CBOR map, too long, or followed by other bytes.
 */
export function decodeCborMap(what: string, bytes: Uint8Array): CborMap {
  checkBytes(what, bytes);
  if (bytes.length > maxInputLength) {
    throw new ProtocolError(`${what}: ${bytes.length} bytes exceed ${maxInputLength}`);
  }
  let value: CborValue;
  try {
    value = decodeCbor(bytes);
  } catch (cause) {
    throw new ProtocolError(`${what}: not the expected CBOR`, { cause });
  }
  return asMap(value, what);
}
