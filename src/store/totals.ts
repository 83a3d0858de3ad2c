/** The totals of a group of records, stored beside them, so that missing records are detected. */
import type { Bytes } from "../bytes/bytes.js";

/** The sums over the records of one group. */
export interface Totals {
  /** How many records there are. */
  readonly count: number;
  /** The sum of their bodies' lengths. */
  readonly bytes: number;
  /** The sum of their sequence numbers, modulo 2^52. */
  readonly sum: number;
  /** Whether the group is being deleted: its remaining records must be deleted too. */
  readonly deleted: boolean;
}

/** The totals of a group without records. */
export const noTotals: Totals = { count: 0, bytes: 0, sum: 0, deleted: false };

/** Sums below this modulus are exact in a double. */
const modulus = 2 ** 52;
const encodedLength = 25;

/** The properties of a record that are counted. */
export interface Counted {
  readonly sequence: number;
  readonly length: number;
}

/** The totals with one record more or, with `sign` -1, one less. */
export function withRecord(totals: Totals, { sequence, length }: Counted, sign: 1 | -1): Totals {
  return {
    count: totals.count + sign,
    bytes: totals.bytes + sign * length,
    sum: (totals.sum + sign * sequence + modulus) % modulus,
    deleted: false,
  };
}

/** Whether both have the same sums. */
export function isSame(a: Totals, b: Totals): boolean {
  return a.count === b.count && a.bytes === b.bytes && a.sum === b.sum;
}

/** Encodes totals: 25 bytes. */
export function encodeTotals({ count, bytes, sum, deleted }: Totals): Bytes {
  const encoded = new Uint8Array(encodedLength);
  const view = new DataView(encoded.buffer);
  view.setBigUint64(0, BigInt(count));
  view.setBigUint64(8, BigInt(bytes));
  view.setBigUint64(16, BigInt(sum));
  encoded[24] = deleted ? 1 : 0;
  return encoded;
}

/** Decodes totals; null if these bytes are not totals. */
export function decodeTotals(encoded: Bytes): Totals | null {
  if (encoded.length !== encodedLength) return null;
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.length);
  const numberAt = (offset: number): number => Number(view.getBigUint64(offset));
  return {
    count: numberAt(0),
    bytes: numberAt(8),
    sum: numberAt(16),
    deleted: encoded[24] === 1,
  };
}
