/**
 * Isogenies of odd degree by Vélu's formulas on Montgomery curves (Costello and Hisil 2017; image
 * curve: Meyer and Reith 2018). spec/pigeonhole §3.2.
 */
import { type Curve, type Point, add, double } from "./curve.js";
import { type FieldElement, isZero, multiply } from "./field.js";

/** Sums and differences of the coordinates of a point: all that Vélu's formulas read of it. */
interface SumAndDifference {
  readonly sum: FieldElement;
  readonly difference: FieldElement;
}

/**
 * The multiples 1 … (degree − 1)/2 of a point of that order; null when its order is another one.
 * Of a point whose order is the odd degree, multiples (degree − 1)/2 and (degree + 1)/2 are
 * opposites, and none is infinity. (Sums with a difference at infinity are 0/0, which has z = 0 as
 * well.)
 */
function halfKernel(curve: Curve, generator: Point, degree: number): SumAndDifference[] | null {
  const multiples: SumAndDifference[] = [];
  let previous = generator;
  let current = generator;
  for (let i = 1; ; i++) {
    multiples.push({ sum: current.x + current.z, difference: current.x - current.z });
    const next = i === 1 ? double(curve, generator) : add(current, generator, previous);
    previous = current;
    current = next;
    if (i === (degree - 1) / 2) break;
  }
  const cross = multiply(previous.x, current.z) - multiply(current.x, previous.z);
  return isZero(previous.z) || isZero(current.z) || !isZero(cross) ? null : multiples;
}

/** The image of a point under the isogeny of that kernel. */
function imageOf(point: Point, kernel: readonly SumAndDifference[]): Point {
  const sum = point.x + point.z;
  const difference = point.x - point.z;
  let x: FieldElement | undefined;
  let z: FieldElement | undefined;
  for (const multiple of kernel) {
    const first = multiply(difference, multiple.sum);
    const second = multiply(sum, multiple.difference);
    x = x === undefined ? first + second : multiply(x, first + second);
    z = z === undefined ? first - second : multiply(z, first - second);
  }
  return {
    x: multiply(point.x, multiply(x!, x!)),
    z: multiply(point.z, multiply(z!, z!)),
  };
}

/** `base`^`degree`·`factor`⁸. */
function scaledEighthPower(base: FieldElement, degree: number, factor: FieldElement): FieldElement {
  let result = base;
  for (let bit = 1 << (30 - Math.clz32(degree)); bit > 0; bit >>= 1) {
    result = multiply(result, result);
    if ((degree & bit) !== 0) result = multiply(result, base);
  }
  let eighth = multiply(factor, factor);
  eighth = multiply(eighth, eighth);
  return multiply(result, multiply(eighth, eighth));
}

/** How many field multiplications the image curve of an isogeny takes, about. */
export function imageCurveCost(degree: number): number {
  return 4 * (degree - 1) + 3 * Math.log2(degree);
}

/** How many field multiplications the image of one point takes. */
export function imagePointCost(degree: number): number {
  return 2 * (degree - 1) + 2;
}

/**
 * The isogeny whose kernel `generator` generates, a point of the odd prime order `degree`.
 * @param points replaced by their images.
 * @returns the image curve; null, with nothing replaced, when the generator has another order.
 */
export function takeIsogeny(
  curve: Curve,
  generator: Point,
  degree: number,
  points: Point[],
): Curve | null {
  const kernel = halfKernel(curve, generator, degree);
  if (kernel === null) return null;
  let sums = kernel[0]!.sum;
  let differences = kernel[0]!.difference;
  for (let i = 1; i < kernel.length; i++) {
    sums = multiply(sums, kernel[i]!.sum);
    differences = multiply(differences, kernel[i]!.difference);
  }
  for (let i = 0; i < points.length; i++) points[i] = imageOf(points[i]!, kernel);
  const plus = scaledEighthPower(curve.plus, degree, sums);
  const minus = scaledEighthPower(curve.minus, degree, differences);
  return { plus, minus, four: plus - minus };
}
