import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { multiplyByPrime, multiplyByPrimeCost } from "../../../src/crypto/ctidh/chains.js";
import {
  type Curve,
  type Point,
  add,
  coefficientOf,
  curveOf,
  double,
  isOnCurve,
  multiplyByLadder,
} from "../../../src/crypto/ctidh/curve.js";
import { ONE, P, invert, isZero, multiply, primes } from "../../../src/crypto/ctidh/field.js";
import { imageCurveCost, imagePointCost, takeIsogeny } from "../../../src/crypto/ctidh/isogeny.js";
import {
  type AffinePoint,
  addAffine,
  imageCurve,
  inverse,
  liftX,
  mod,
  multiplyAffine,
  multiplyX,
  twinAction,
} from "../../oracles/ctidh-twin.js";

const inverseR = inverse(1n << 1024n);
const toMontgomery = (a: bigint): bigint => mod(a << 1024n);
const fromMontgomery = (a: bigint): bigint => mod(a * inverseR);
const pointAt = (x: bigint): Point => ({ x: toMontgomery(x), z: ONE });
const xOf = (point: Point): bigint => fromMontgomery(multiply(point.x, invert(point.z)));
const aOf = (curve: Curve): bigint => fromMontgomery(coefficientOf(curve));

const coordinate = fc.bigInt({ min: 3n, max: P - 3n });
/** Coefficients of arbitrary curves: the formulas for points hold on all of them. */
const anyCurve = coordinate;
/** A supersingular curve other than the one with A = 0. */
const supersingular = twinAction(0n, [1, 0, -1]);

/** The x-coordinate of a point of order `degree`. */
function pointOfOrder(A: bigint, degree: bigint): bigint {
  for (let x = 2n; ; x++) {
    const kernel = multiplyX(A, x, (P + 1n) / degree);
    if (kernel !== null) return kernel;
  }
}

test("doubling and differential addition agree with chords and tangents", () => {
  fc.assert(
    fc.property(anyCurve, coordinate, (A, x) => {
      const affine = liftX(A, x);
      fc.pre(affine !== undefined && affine !== null && affine.y !== 0n);
      const curve = curveOf(toMontgomery(A));
      const one = pointAt(x);
      const two = double(curve, one);
      const three = add(two, one, one);
      const five = add(three, two, one);
      assert.equal(xOf(two), addAffine(A, affine, affine)!.x);
      assert.equal(xOf(three), multiplyAffine(A, affine, 3n)!.x);
      assert.equal(xOf(five), multiplyAffine(A, affine, 5n)!.x);
    }),
    { numRuns: 10 },
  );
});

test("the ladder agrees with doubling and adding", () => {
  fc.assert(
    fc.property(anyCurve, coordinate, fc.integer({ min: 2, max: 2000 }), (A, x, factor) => {
      const affine = liftX(A, x);
      fc.pre(affine !== undefined);
      const expected: AffinePoint = multiplyAffine(A, affine, BigInt(factor));
      const point = multiplyByLadder(curveOf(toMontgomery(A)), pointAt(x), factor);
      assert.equal(xOf(point), expected!.x);
    }),
    { numRuns: 8 },
  );
});

test("the addition chain of each prime multiplies by that prime, with less work than a ladder", () => {
  const curve = curveOf(toMontgomery(supersingular));
  const point = pointAt(7n);
  let cases = 0;
  let saved = 0;
  for (const prime of primes) {
    const expected = multiplyByLadder(curve, point, prime);
    assert.equal(xOf(multiplyByPrime(curve, point, prime)), xOf(expected));
    const ladderCost = 12 * Math.floor(Math.log2(prime));
    assert.ok(multiplyByPrimeCost(prime) <= ladderCost);
    saved += ladderCost - multiplyByPrimeCost(prime);
    cases++;
  }
  assert.equal(cases, 130);
  assert.ok(saved > 130 * 12);
});

test("coefficients survive the projective form, and points are classified as on curve or twist", () => {
  fc.assert(
    fc.property(anyCurve, coordinate, (A, x) => {
      const { plus, minus } = curveOf(toMontgomery(A));
      const scale = toMontgomery(12345n);
      const scaled = { plus: multiply(plus, scale), minus: multiply(minus, scale) };
      const curve = { ...scaled, four: scaled.plus - scaled.minus };
      assert.equal(aOf(curve), A);
      assert.equal(isOnCurve(curve, toMontgomery(x)), liftX(A, x) !== undefined);
    }),
    { numRuns: 10 },
  );
});

test("image curves agree with other formulas, for curve and twist alike", () => {
  let cases = 0;
  for (const A of [0n, supersingular]) {
    const curve = curveOf(toMontgomery(A));
    for (const degree of [3, 5, 7, 41]) {
      const kernel = pointOfOrder(A, BigInt(degree));
      const image = takeIsogeny(curve, pointAt(kernel), degree, [])!;
      assert.equal(aOf(image), imageCurve(A, kernel, BigInt(degree)));
      cases++;
    }
  }
  assert.equal(cases, 8);
});

test("a point of another order than the degree is not a kernel", () => {
  const curve = curveOf(toMontgomery(supersingular));
  let cases = 0;
  for (const degree of [3, 5, 7, 29, 31, 41]) {
    for (const order of [3n, 5n, 7n, 29n, 31n, 41n]) {
      if (order === BigInt(degree)) continue;
      const point = pointAt(pointOfOrder(supersingular, order));
      assert.equal(takeIsogeny(curve, point, degree, []), null, `${order} for ${degree}`);
      cases++;
    }
  }
  assert.equal(cases, 30);
});

test("points keep their order under an isogeny, and those of the kernel vanish", () => {
  const curve = curveOf(toMontgomery(supersingular));
  let cases = 0;
  for (const degree of [3, 29, 983]) {
    const kernel = pointAt(pointOfOrder(supersingular, BigInt(degree)));
    const other = pointAt(pointOfOrder(supersingular, 11n));
    const points = [double(curve, kernel), other];
    const image = takeIsogeny(curve, kernel, degree, points)!;
    assert.ok(isZero(points[0]!.z));
    assert.ok(!isZero(points[1]!.z));
    assert.ok(isZero(multiplyByLadder(image, points[1]!, 11).z));
    // The image also has p + 1 points: each point times that number is infinity.
    assert.equal(multiplyX(aOf(image), 5n, P + 1n), null);
    cases++;
  }
  assert.equal(cases, 3);
});

test("the costs of the strategies grow with the degree", () => {
  for (let i = 1; i < primes.length; i++) {
    assert.ok(imageCurveCost(primes[i]!) > imageCurveCost(primes[i - 1]!));
    assert.ok(imagePointCost(primes[i]!) > imagePointCost(primes[i - 1]!));
  }
});
