/**
 * The group action of CSIDH: from a curve, it takes as many isogenies of each small degree as the
 * exponents say (spec/pigeonhole §3.2). The result does not depend on the order of the isogenies,
 * so this uses the fastest order known here. The time depends on the exponents.
 */
import { multiplyByPrime } from "./chains.js";
import { type Curve, type Point, coefficientOf, curveOf, double, isOnCurve } from "./curve.js";
import { type FieldElement, ONE, PRIME_COUNT, isZero, primes } from "./field.js";
import { takeIsogeny } from "./isogeny.js";
import { type Strategy, planStrategy } from "./strategy.js";

/** Isogenies of several degrees from one point; the current curve changes with each. */
class Round {
  curve: Curve;
  readonly #degrees: readonly number[];
  readonly #strategy: Strategy;
  readonly #carried: Point[] = [];
  readonly #taken: (place: number) => void;

  constructor(curve: Curve, degrees: readonly number[], taken: (place: number) => void) {
    this.curve = curve;
    this.#degrees = degrees;
    this.#strategy = planStrategy(degrees);
    this.#taken = taken;
  }

  /** Takes the isogenies of the degrees in [from, to) from a point whose order is their product. */
  run(point: Point, from = 0, to = this.#degrees.length): void {
    if (to - from === 1) {
      // The random point may lack the factor; another round then has another point. It may also
      // still have the factor of an earlier degree, if a product wrongly read as infinity. That is
      // why the order of each kernel is checked.
      if (isZero(point.z)) return;
      const image = takeIsogeny(this.curve, point, this.#degrees[from]!, this.#carried);
      if (image === null) return;
      this.curve = image;
      this.#taken(from);
      return;
    }
    const middle = this.#strategy(from, to);
    let left = point;
    for (let i = middle; i < to; i++) left = multiplyByPrime(this.curve, left, this.#degrees[i]!);
    this.#carried.push(point);
    this.run(left, from, middle);
    this.run(this.#carried.pop()!, middle, to);
  }
}

/**
 * Applies ∏ lᵢ^eᵢ to a curve.
 * @param coefficient A of a supersingular curve, canonical. (With others the result means nothing.)
 * @param exponents 130 signed numbers, in the order of {@link primes}.
 * @returns A of the image curve, canonical.
 */
export function act(coefficient: FieldElement, exponents: Int8Array): FieldElement {
  const pending = exponents.slice();
  let curve = curveOf(coefficient);
  for (let x = 2n; pending.some((exponent) => exponent !== 0); x++) {
    const sign = isOnCurve(curve, x) ? 1 : -1;
    const chosen: number[] = [];
    let point: Point = { x, z: ONE };
    const others: number[] = [];
    for (let i = 0; i < PRIME_COUNT; i++) {
      if (pending[i]! * sign > 0) chosen.push(i);
      else others.push(i);
    }
    if (chosen.length === 0) continue;
    point = double(curve, double(curve, point));
    for (const i of others) point = multiplyByPrime(curve, point, primes[i]!);
    const degrees = chosen.map((i) => primes[i]!);
    const round = new Round(curve, degrees, (place) => {
      pending[chosen[place]!]! -= sign;
    });
    round.run(point);
    curve = round.curve;
  }
  pending.fill(0);
  return coefficientOf(curve);
}
