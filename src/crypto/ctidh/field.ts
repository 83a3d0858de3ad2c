/**
 * The field of CTIDH1024: integers modulo p = 4·∏ℓᵢ − 1, a prime of 1020 bits, in Montgomery form
 * (a stands for a·2^1024). spec/pigeonhole §3.2.
 *
 * Elements are "loose": an element is any integer of its residue class, also a negative one, so
 * sums and differences need no reduction. {@link multiply} takes factors with an absolute value of
 * up to 4p and returns a product between −p and 2p, so sums and differences of two products can be
 * factors again. {@link canonical} returns the representative in [0, p).
 */
import type { Bytes } from "../../bytes/bytes.js";

/** A loose field element. */
export type FieldElement = bigint;

/** How many small odd primes divide p + 1. */
export const PRIME_COUNT = 130;

/** The odd primes ℓᵢ that divide p + 1, ascending: the first 129 odd primes (3 … 733) and 983. */
export const primes: readonly number[] = oddPrimes();

function oddPrimes(): number[] {
  const found: number[] = [];
  for (let n = 3; found.length < PRIME_COUNT - 1; n += 2) {
    if (found.every((prime) => n % prime !== 0)) found.push(n);
  }
  return [...found, 983];
}

/** The prime p. */
export const P: bigint = primes.reduce((product, prime) => product * BigInt(prime), 4n) - 1n;

/** −1/p modulo 2^`bits`, by Newton's iteration. */
function negatedInverseOfP(bits: number): bigint {
  let inverse = 1n;
  for (let known = 1; known < bits; known *= 2) {
    inverse = BigInt.asUintN(bits, inverse * (2n - P * inverse));
  }
  return BigInt.asUintN(bits, -inverse);
}

// Montgomery's reduction by 2^1024 in two steps, which together multiply a third fewer machine
// words than one step. The first adds a multiple of a multiple of p that is −1 modulo 2^448, so its
// factor is the low part itself. The second is the usual one. 576 exceeds 448 by enough that what
// the first step adds vanishes in the second.
const firstMultiple = (P * negatedInverseOfP(448) + 1n) >> 448n;
const secondFactor = negatedInverseOfP(576);

/**
 * The Montgomery product a·b/2^1024.
 * @param a, b with an absolute value of up to 4p.
 * @returns loose: between −p and 2p (at least 0 for a square).
 */
export function multiply(a: FieldElement, b: FieldElement): FieldElement {
  const product = a * b;
  const half = (product >> 448n) + BigInt.asUintN(448, product) * firstMultiple;
  return (half + BigInt.asUintN(576, BigInt.asUintN(576, half) * secondFactor) * P) >> 576n;
}

/** Montgomery form of 1. */
export const ONE: FieldElement = (1n << 1024n) % P;

/** The representative of `a` in [0, p). */
export function canonical(a: FieldElement): bigint {
  const remainder = a % P;
  return remainder < 0n ? remainder + P : remainder;
}

/** Whether `a` is zero. */
export function isZero(a: FieldElement): boolean {
  return a % P === 0n;
}

/** `base` to the power of a non-negative exponent. */
export function power(base: FieldElement, exponent: bigint): FieldElement {
  if (exponent === 0n) return ONE;
  const bits = exponent.toString(2);
  let result = base;
  for (let i = 1; i < bits.length; i++) {
    result = multiply(result, result);
    if (bits.charCodeAt(i) === 49) result = multiply(result, base);
  }
  return result;
}

/** The inverse of `a`; zero for zero. */
export function invert(a: FieldElement): FieldElement {
  return power(a, P - 2n);
}

/**
 * Whether `a` is a nonzero square. It computes the Legendre symbol by quadratic reciprocity, which
 * takes less than a tenth of the time of a power. Because 2^1024 is a square, the Montgomery form
 * has the same symbol.
 */
export function isSquare(a: FieldElement): boolean {
  let top = canonical(a);
  let bottom = P;
  let negative = false;
  while (top !== 0n) {
    while ((top & 0xffffffffn) === 0n) top >>= 32n;
    const low = Number(top & 0xffffffffn) | 0;
    const twos = 31 - Math.clz32(low & -low);
    top >>= BigInt(twos);
    const bottomMod8 = Number(bottom & 7n);
    if ((twos & 1) === 1 && (bottomMod8 === 3 || bottomMod8 === 5)) negative = !negative;
    if ((Number(top & 3n) & bottomMod8 & 3) === 3) negative = !negative;
    [top, bottom] = [bottom % top, top];
  }
  return bottom === 1n && !negative;
}

/** Little-endian bytes as an integer. */
export function fromLittleEndian(bytes: Uint8Array): bigint {
  let digits = "";
  for (const byte of bytes) digits = byte.toString(16).padStart(2, "0") + digits;
  return BigInt(`0x0${digits}`);
}

/** The canonical representative of `a` in 128 little-endian bytes. */
export function toLittleEndian(a: FieldElement): Bytes {
  const bytes = new Uint8Array(128);
  const digits = canonical(a).toString(16).padStart(256, "0");
  for (let i = 0; i < 128; i++) bytes[127 - i] = Number(`0x${digits.slice(2 * i, 2 * i + 2)}`);
  return bytes;
}
