/**
 * The readable oracle for `src/crypto/ctidh`: the same group action with `%` and textbook formulas,
 * one isogeny from one random point, no strategy, no Montgomery form. It is slow; it was written
 * from the mathematics (Castryck, Lange, Martindale, Panny and Renes 2018; Costello and Hisil
 * 2017).
 */

/** The odd primes whose product times 4, minus 1, is p. */
export const twinPrimes: readonly bigint[] = (() => {
  const found: bigint[] = [];
  for (let n = 3n; found.length < 129; n += 2n) {
    if (found.every((prime) => n % prime !== 0n)) found.push(n);
  }
  return [...found, 983n];
})();

/** The prime p. */
export const p = twinPrimes.reduce((product, prime) => product * prime, 4n) - 1n;

/** `a` modulo p, from 0 on. */
export function mod(a: bigint): bigint {
  return ((a % p) + p) % p;
}

/** `base` to the power of `exponent` modulo p. */
export function pow(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = mod(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

/** 1/`a` modulo p, by Euclid. */
export function inverse(a: bigint): bigint {
  let [r0, r1, s0, s1] = [p, mod(a), 0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1, s0, s1] = [r1, r0 - quotient * r1, s1, s0 - quotient * s1];
  }
  if (r0 !== 1n) throw new RangeError("zero has no inverse");
  return mod(s0);
}

/** x³ + Ax² + x. */
function rightSide(A: bigint, x: bigint): bigint {
  return mod(mod(mod(x + A) * x + 1n) * x);
}

/** A point (x, y) of y² = x³ + Ax² + x; null is the point at infinity. */
export type AffinePoint = { readonly x: bigint; readonly y: bigint } | null;

/** A point with this x-coordinate; undefined if it is on the twist. */
export function liftX(A: bigint, x: bigint): AffinePoint | undefined {
  const square = rightSide(A, x);
  const y = pow(square, (p + 1n) / 4n);
  return mod(y * y) === square ? { x, y } : undefined;
}

/** The sum of two points by chord and tangent. */
export function addAffine(A: bigint, a: AffinePoint, b: AffinePoint): AffinePoint {
  if (a === null) return b;
  if (b === null) return a;
  if (a.x === b.x && mod(a.y + b.y) === 0n) return null;
  const slope =
    a.x === b.x
      ? mod((3n * a.x * a.x + 2n * A * a.x + 1n) * inverse(2n * a.y))
      : mod((b.y - a.y) * inverse(b.x - a.x));
  const x = mod(slope * slope - A - a.x - b.x);
  return { x, y: mod(slope * (a.x - x) - a.y) };
}

/** `factor`·`point` by doubling and adding. */
export function multiplyAffine(A: bigint, point: AffinePoint, factor: bigint): AffinePoint {
  let result: AffinePoint = null;
  for (const bit of factor.toString(2)) {
    result = addAffine(A, result, result);
    if (bit === "1") result = addAffine(A, result, point);
  }
  return result;
}

/** x-coordinate of `factor` times the point (of curve or twist) at `x`; null for infinity. */
export function multiplyX(A: bigint, x: bigint, factor: bigint): bigint | null {
  let [x0, z0, x1, z1] = [1n, 0n, x, 1n];
  for (const bit of factor.toString(2)) {
    if (bit === "1") [x0, z0, x1, z1] = [x1, z1, x0, z0];
    const [u, v] = [mod(x0 * x1 - z0 * z1), mod(x0 * z1 - z0 * x1)];
    const [squareX, squareZ, product] = [mod(x0 * x0), mod(z0 * z0), mod(x0 * z0)];
    [x1, z1] = [mod(u * u), mod(mod(v * v) * x)];
    x0 = mod((squareX - squareZ) * (squareX - squareZ));
    z0 = mod(4n * product * mod(squareX + A * product + squareZ));
    if (bit === "1") [x0, z0, x1, z1] = [x1, z1, x0, z0];
  }
  return z0 === 0n ? null : mod(x0 * inverse(z0));
}

/**
 * The coefficient A of the image curve under the isogeny whose kernel the point at `x` generates.
 */
export function imageCurve(A: bigint, x: bigint, degree: bigint): bigint {
  let product = 1n;
  let sum = 0n;
  for (let j = 1n; j <= (degree - 1n) / 2n; j++) {
    const multiple = multiplyX(A, x, j)!;
    product = mod(product * multiple);
    sum = mod(sum + inverse(multiple) - multiple);
  }
  return mod((6n * sum + A) * product * product);
}

/** Applies ∏ lᵢ^eᵢ to the curve of coefficient `A`. */
export function twinAction(A: bigint, exponents: readonly number[]): bigint {
  let image = A;
  for (const [i, exponent] of exponents.entries()) {
    const degree = twinPrimes[i]!;
    for (let left = Math.abs(exponent), x = 2n; left > 0; x++) {
      const onCurve = liftX(image, x) !== undefined;
      if (onCurve !== exponent > 0) continue;
      const kernel = multiplyX(image, x, (p + 1n) / degree);
      if (kernel === null) continue;
      image = imageCurve(image, kernel, degree);
      left--;
    }
  }
  return image;
}

/** A public key: A·2^1024 modulo p, 128 bytes, little-endian. */
export function twinEncode(A: bigint): Uint8Array {
  let value = mod(A << 1024n);
  return Uint8Array.from({ length: 128 }, () => {
    const byte = Number(value & 255n);
    value >>= 8n;
    return byte;
  });
}
