/**
 * Multiplication of points by small primes along differential addition chains, sequences of
 * additions in which the difference is always known (Montgomery 1983). They take three quarters of
 * a ladder's work.
 */
import { type Curve, type Point, add, double } from "./curve.js";

/**
 * The steps of a chain. From the points (2P, P), each step adds the two and keeps the sum and one
 * of them: the larger if the step is true, otherwise the smaller.
 */
type Chain = readonly boolean[];

/**
 * The chain whose last sum is `multiple` with the summand `larger`; null if its cost exceeds
 * `limit`.
 */
function chainOver(multiple: number, larger: number, limit: number): Chain | null {
  const steps: boolean[] = [];
  let sum = multiple;
  let kept = larger;
  // Backwards: for a sum and one summand, the other summand is the difference.
  while (sum !== 2) {
    if (steps.length === limit) return null;
    const other = sum - kept;
    const keptLarger = kept > other;
    steps.push(keptLarger);
    sum = keptLarger ? kept : other;
    kept = keptLarger ? other : kept;
  }
  return steps.reverse();
}

function shortestChain(prime: number): Chain {
  let best: Chain = [];
  let limit = prime;
  for (let larger = (prime + 1) / 2; larger < prime; larger++) {
    const chain = chainOver(prime, larger, limit);
    if (chain === null) continue;
    best = chain;
    limit = chain.length - 1;
  }
  return best;
}

const chains = new Map<number, Chain>();

function chainOf(prime: number): Chain {
  let chain = chains.get(prime);
  if (chain === undefined) {
    chain = shortestChain(prime);
    chains.set(prime, chain);
  }
  return chain;
}

/** The number of field multiplications in {@link multiplyByPrime}. */
export function multiplyByPrimeCost(prime: number): number {
  return 6 * (chainOf(prime).length + 1);
}

/**
 * `prime`·`point`, for an odd prime. If the order of the point is below the prime, the result may
 * be 0/0, which reads as infinity; a result with z ≠ 0 is always correct.
 */
export function multiplyByPrime(curve: Curve, point: Point, prime: number): Point {
  let larger = double(curve, point);
  let smaller = point;
  let difference = point;
  for (const keepLarger of chainOf(prime)) {
    const sum = add(larger, smaller, difference);
    if (keepLarger) {
      difference = smaller;
      smaller = larger;
    } else {
      difference = larger;
    }
    larger = sum;
  }
  return larger;
}
