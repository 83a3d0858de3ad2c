/**
 * How CTIDH1024 private keys are drawn: 130 exponents in batches, each batch uniform among the
 * vectors whose absolute values sum to at most its bound (spec/pigeonhole §3.2).
 */
import type { Bytes, RandomSource } from "../../bytes/bytes.js";
import { PRIME_COUNT } from "./field.js";

/** How many consecutive primes each batch has. */
const batchWidths = [
  2, 3, 5, 4, 6, 6, 6, 6, 6, 7, 7, 7, 6, 7, 7, 5, 6, 5, 10, 3, 10, 5, 1,
] as const;
/** The maximum sum of the absolute values of each batch's exponents. */
const batchBounds = [2, 4, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5, 5, 3, 6, 2, 6, 2, 0] as const;

/**
 * Draws `width` non-negative numbers with a sum of at most `bound`: a random arrangement of `width`
 * ones and `bound` zeros, in which the exponents are the numbers of zeros between the ones. Null if
 * a tie would make the arrangement uneven.
 */
function drawMagnitudes(width: number, bound: number, random: RandomSource): number[] | null {
  const length = width + bound;
  const bytes = random(4 * length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const labels = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    labels[i] = (view.getInt32(4 * i, true) & ~1) | (i < width ? 1 : 0);
  }
  bytes.fill(0);
  labels.sort();
  for (let i = 1; i < width; i++) {
    if ((labels[i]! & ~1) === (labels[i - 1]! & ~1)) return null;
  }
  const magnitudes = Array.from({ length: width }, () => -1);
  magnitudes[0] = 0;
  let ones = 0;
  for (const label of labels) {
    ones += label & 1;
    if (ones < width) magnitudes[ones]!++;
  }
  labels.fill(0);
  return magnitudes;
}

/**
 * Gives each number a random sign. A zero has two signs and would come up twice as often as it
 * should; returning null with a certain probability corrects that.
 */
function drawSigns(magnitudes: number[], bound: number, random: RandomSource): number[] | null {
  const width = magnitudes.length;
  const bits = random(4 * Math.ceil(width / 32));
  const isNegative = (i: number): boolean => ((bits[i >> 3]! >> (i & 7)) & 1) === 1;
  let spareZeros = width - bound;
  for (const [i, magnitude] of magnitudes.entries()) {
    if (magnitude !== 0) continue;
    spareZeros--;
    if (spareZeros < 0 && isNegative(i)) return null;
  }
  return magnitudes.map((magnitude, i) => (isNegative(i) ? -magnitude : magnitude));
}

function drawBatch(width: number, bound: number, random: RandomSource): number[] {
  for (;;) {
    const magnitudes = drawMagnitudes(width, bound, random);
    const batch = magnitudes && drawSigns(magnitudes, bound, random);
    if (batch) return batch;
  }
}

/** A new private key (130 signed bytes), drawn from a byte stream. */
export function drawPrivateKey(random: RandomSource): Bytes {
  const exponents = new Int8Array(PRIME_COUNT);
  let at = 0;
  for (const [i, width] of batchWidths.entries()) {
    exponents.set(drawBatch(width, batchBounds[i]!, random), at);
    at += width;
  }
  return new Uint8Array(exponents.buffer);
}
