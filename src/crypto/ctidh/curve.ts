/**
 * Montgomery curves y² = x³ + A·x² + x over the field of CTIDH1024. Points are represented by x
 * alone, so that points of the curve and of its quadratic twist are handled alike. Formulas:
 * Montgomery 1987 (doubling, differential addition), Costello and Hisil 2017 (images of points),
 * Meyer and Reith 2018 (image curves). spec/pigeonhole §3.2.
 */
import { type FieldElement, ONE, canonical, invert, isSquare, multiply } from "./field.js";

/** The point with x-coordinate x/z; z = 0 is the point at infinity. */
export interface Point {
  readonly x: FieldElement;
  readonly z: FieldElement;
}

/** The curve with A = 2·(plus + minus)/(plus − minus): A + 2 and A − 2 up to one common factor. */
export interface Curve {
  /** A + 2, up to the factor. */
  readonly plus: FieldElement;
  /** A − 2, up to the factor. */
  readonly minus: FieldElement;
  /** 4, up to the factor: plus − minus. */
  readonly four: FieldElement;
}

/** The curve with the coefficient A, which must be canonical. */
export function curveOf(a: FieldElement): Curve {
  return { plus: a + 2n * ONE, minus: a - 2n * ONE, four: 4n * ONE };
}

/** The coefficient A of a curve, canonical. */
export function coefficientOf(curve: Curve): FieldElement {
  return canonical(2n * multiply(curve.plus + curve.minus, invert(curve.four)));
}

/** Whether the point with x-coordinate `x` is on the curve itself, not on its twist. */
export function isOnCurve(curve: Curve, x: FieldElement): boolean {
  // x³ + Ax² + x = x·((x − 1)² + (A + 2)·x), times the square of 4.
  const square = multiply(x - ONE, x - ONE);
  const scaled = multiply(curve.four, square) + 4n * multiply(curve.plus, x);
  return isSquare(multiply(multiply(scaled, x), curve.four));
}

/** 2·`point`. */
export function double(curve: Curve, point: Point): Point {
  const sum = point.x + point.z;
  const difference = point.x - point.z;
  const sumSquared = multiply(sum, sum);
  const differenceSquared = multiply(difference, difference);
  const scaled = multiply(curve.four, differenceSquared);
  const cross = sumSquared - differenceSquared;
  return {
    x: multiply(sumSquared, scaled),
    z: multiply(cross, scaled + multiply(curve.plus, cross)),
  };
}

/**
 * `a` + `b`, given `difference` = ±(`a` − `b`). Correct for every difference but infinity and (0,
 * 0): for those the sum is 0/0, and any result computed from it also has z = 0.
 */
export function add(a: Point, b: Point, difference: Point): Point {
  const first = multiply(a.x - a.z, b.x + b.z);
  const second = multiply(a.x + a.z, b.x - b.z);
  const sum = first + second;
  const cross = first - second;
  return {
    x: multiply(difference.z, multiply(sum, sum)),
    z: multiply(difference.x, multiply(cross, cross)),
  };
}

/**
 * `factor`·`point` by Montgomery's ladder, for a factor of 2 or more. Slower than chains, but
 * correct for every point other than infinity and (0, 0), because the point itself is the only
 * difference.
 */
export function multiplyByLadder(curve: Curve, point: Point, factor: number): Point {
  let low = point;
  let high = double(curve, point);
  for (let bit = 1 << (30 - Math.clz32(factor)); bit > 0; bit >>= 1) {
    const sum = add(high, low, point);
    if ((factor & bit) !== 0) {
      low = sum;
      high = double(curve, high);
    } else {
      high = sum;
      low = double(curve, low);
    }
  }
  return low;
}
