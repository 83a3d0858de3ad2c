/** Validates public keys (spec/pigeonhole §3.2, "Public-key validation"). */
import { checkBytes } from "../../bytes/bytes.js";
import { multiplyByPrime } from "./chains.js";
import { type Curve, type Point, curveOf, double, multiplyByLadder } from "./curve.js";
import { type FieldElement, ONE, P, fromLittleEndian, isZero, primes } from "./field.js";

/** Length of a public key in bytes. */
export const CTIDH1024_PUBLIC_KEY_LENGTH = 128;
/** How many keys' results are kept, half a kilobyte each, because validation takes long. */
export const keptVerdicts = 1024;

/**
 * The coefficient A in a public key; null if it is not canonical (p or more) or does not belong to
 * a curve (±2).
 * @throws TypeError, RangeError when it is not 128 bytes.
 */
export function decodePublicKey(publicKey: Uint8Array): FieldElement | null {
  checkBytes("publicKey", publicKey, CTIDH1024_PUBLIC_KEY_LENGTH);
  const coefficient = fromLittleEndian(publicKey);
  if (coefficient >= P || isZero(coefficient - 2n * ONE) || isZero(coefficient + 2n * ONE)) {
    return null;
  }
  return coefficient;
}

// A point whose order is a divisor of p + 1 above 4√p proves that the curve has p + 1 points: by
// Hasse's theorem no other multiple of that order is possible. The largest primes reach this bound
// fastest, and a point rarely lacks one of them.
const neededOrder = 1n << 512n;
const spareBits = 40;

interface OrderProof {
  /** The result for the point: supersingular, not supersingular, or not yet proven (null). */
  verdict: boolean | null;
  /** Product of the primes that certainly divide the point's order. */
  order: bigint;
}

/**
 * Finds which primes of [from, to) divide the order of `point`, whose order contains only these
 * primes.
 */
function collectOrder(
  curve: Curve,
  point: Point,
  from: number,
  to: number,
  proof: OrderProof,
): void {
  if (proof.verdict !== null || isZero(point.z) || isZero(point.x)) return;
  if (to - from === 1) {
    const prime = primes[from]!;
    // This is p + 1 times the starting point, and infinity if the curve is supersingular.
    if (!isZero(multiplyByLadder(curve, point, prime).z)) {
      proof.verdict = false;
      return;
    }
    proof.order *= BigInt(prime);
    if (proof.order > neededOrder) proof.verdict = true;
    return;
  }
  const middle = (from + to) >> 1;
  let high = point;
  for (let i = from; i < middle; i++) high = multiplyByPrime(curve, high, primes[i]!);
  collectOrder(curve, high, middle, to, proof);
  if (proof.verdict !== null) return;
  let low = point;
  for (let i = middle; i < to; i++) low = multiplyByPrime(curve, low, primes[i]!);
  collectOrder(curve, low, from, middle, proof);
}

/**
 * The start of the range of largest primes whose product suffices for a proof, with some reserve.
 */
function firstOfTheLargest(): number {
  let bits = 512 + spareBits;
  let first = primes.length;
  while (bits > 0) bits -= Math.log2(primes[--first]!);
  return first;
}

function isSupersingular(curve: Curve): boolean {
  const first = firstOfTheLargest();
  for (let x = 2n; ; x++) {
    let point: Point = { x, z: ONE };
    point = double(curve, double(curve, point));
    for (let i = 0; i < first; i++) point = multiplyByPrime(curve, point, primes[i]!);
    const proof: OrderProof = { verdict: null, order: 1n };
    collectOrder(curve, point, first, primes.length, proof);
    if (proof.verdict !== null) return proof.verdict;
  }
}

/**
 * Whether `publicKey` is the coefficient of a supersingular curve in canonical form. All zeros, the
 * base curve, is valid. It takes about an eighth of a group action's time.
 * @throws TypeError, RangeError when it is not 128 bytes.
 */
export function validatePublicKey(publicKey: Uint8Array): boolean {
  const coefficient = decodePublicKey(publicKey);
  return coefficient !== null && isSupersingular(curveOf(coefficient));
}
