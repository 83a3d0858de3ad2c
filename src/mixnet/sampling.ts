/** Samples from a source of random bytes. */
import type { RandomSource } from "../bytes/bytes.js";

/** A number from 0 (included) to 1 (excluded); all multiples of 2^-53 are equally likely. */
export function uniform(random: RandomSource): number {
  const view = new DataView(random(8).buffer);
  return (view.getUint32(0) * 2 ** 21 + (view.getUint32(4) >>> 11)) / 2 ** 53;
}

/** A sample of the exponential distribution with this rate, so with mean 1/rate. */
export function exponential(random: RandomSource, rate: number): number {
  return -Math.log1p(-uniform(random)) / rate;
}

/** A uniformly random element of `list`. @throws RangeError when it is empty. */
export function pick<T>(random: RandomSource, list: readonly T[]): T {
  if (list.length === 0) throw new RangeError("`list` must not be empty");
  return list[Math.floor(uniform(random) * list.length)]!;
}
