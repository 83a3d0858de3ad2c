/**
 * The format of a store's values. Each value contains its key and a checksum, so that it can be
 * checked, and found in the files of a database that cannot be read.
 */
import { type Bytes, concatBytes, equalBytes } from "../bytes/bytes.js";
import { crc32 } from "#platform";

/** A record in the database. */
export interface StoredRecord {
  /** Increases with every change of the store; the first is 1. */
  readonly sequence: number;
  readonly key: Bytes;
  readonly body: Bytes;
}

/** The prefix of every value: a byte that UTF-8 text never contains, then `kzr`. */
const magic = Uint8Array.of(0xfe, 0x6b, 0x7a, 0x72);
/** Magic (4), CRC-32 of the rest (4), sequence (8), lengths of key (4) and body (4). */
const headerLength = 24;
const covered = 8;
/** Longest key and body in bytes; anything longer is damage. */
const longestKey = 4096;
const longestBody = 16 * 1024 * 1024;

/** Encodes a record as a value. @throws RangeError when key or body are too long. */
export function encodeRecord({ sequence, key, body }: StoredRecord): Bytes {
  if (key.length > longestKey || body.length > longestBody) {
    throw new RangeError(
      `\`body\` must be at most ${longestBody} bytes and its key ${longestKey}, ` +
        `got ${body.length} and ${key.length}`,
    );
  }
  const header = new Uint8Array(headerLength);
  header.set(magic);
  const view = new DataView(header.buffer);
  view.setBigUint64(8, BigInt(sequence));
  view.setUint32(16, key.length);
  view.setUint32(20, body.length);
  const value = concatBytes(header, key, body);
  new DataView(value.buffer).setUint32(4, crc32(value.subarray(covered)));
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The record that begins at `offset`, with its end; null if there is no complete one. */
function recordAt(bytes: Uint8Array, offset: number): { record: StoredRecord; end: number } | null {
  if (bytes.length - offset < headerLength) return null;
  const view = viewOf(bytes);
  const keyLength = view.getUint32(offset + 16);
  const bodyLength = view.getUint32(offset + 20);
  if (keyLength > longestKey || bodyLength > longestBody) return null;
  const bodyAt = offset + headerLength + keyLength;
  const end = bodyAt + bodyLength;
  if (end > bytes.length) return null;
  if (crc32(bytes.subarray(offset + covered, end)) !== view.getUint32(offset + 4)) return null;
  const record = {
    sequence: Number(view.getBigUint64(offset + 8)),
    key: new Uint8Array(bytes.subarray(offset + headerLength, bodyAt)),
    body: new Uint8Array(bytes.subarray(bodyAt, end)),
  };
  return { record, end };
}

/** The record under `key`; null if its bytes changed or it has another key. */
export function decodeRecord(key: Uint8Array, value: Uint8Array): StoredRecord | null {
  if (!equalBytes(value.subarray(0, magic.length), magic)) return null;
  const found = recordAt(value, 0);
  if (found === null || found.end !== value.length) return null;
  return equalBytes(found.record.key, key) ? found.record : null;
}

/** Every complete record in some bytes, whatever is between them. */
export function* findRecords(bytes: Uint8Array): Iterable<StoredRecord> {
  let at = bytes.indexOf(magic[0]!);
  while (at >= 0) {
    const found = magic.every((byte, i) => bytes[at + i] === byte) ? recordAt(bytes, at) : null;
    if (found !== null) yield found.record;
    at = bytes.indexOf(magic[0]!, found?.end ?? at + 1);
  }
}
