/**
 * The cheapest order in which a point of composite order is split into kernels of prime order (De
 * Feo, Jao and Plût 2014, section 4.2.2, for unequal degrees).
 */
import { multiplyByPrimeCost } from "./chains.js";
import { imagePointCost } from "./isogeny.js";

/** Returns where to split a range of degrees; see {@link planStrategy}. */
export type Strategy = (from: number, to: number) => number;

/**
 * The cheapest way to take isogenies of all `degrees` from one point whose order is their product.
 *
 * A range is split in two. The point times the degrees of the right part serves the left part,
 * whose isogenies also map the point itself; then the mapped point serves the right part. So a
 * split costs the multiplications by the right part and the images under the left part.
 * @returns for `from` < `to` − 1, the start of the right part.
 */
export function planStrategy(degrees: readonly number[]): Strategy {
  const count = degrees.length;
  const multiplications = [0];
  const images = [0];
  for (const [i, degree] of degrees.entries()) {
    multiplications.push(multiplications[i]! + multiplyByPrimeCost(degree));
    images.push(images[i]! + imagePointCost(degree));
  }
  const stride = count + 1;
  const costs = new Float64Array(stride * stride);
  const splits = new Uint8Array(stride * stride);
  for (let size = 2; size <= count; size++) {
    for (let from = 0; from + size <= count; from++) {
      const to = from + size;
      let least = Infinity;
      for (let middle = from + 1; middle < to; middle++) {
        const cost =
          costs[from * stride + middle]! +
          costs[middle * stride + to]! +
          (multiplications[to]! - multiplications[middle]!) +
          (images[middle]! - images[from]!);
        if (cost < least) {
          least = cost;
          splits[from * stride + to] = middle;
        }
      }
      costs[from * stride + to] = least;
    }
  }
  return (from, to) => splits[from * stride + to]!;
}
