/** How often two series of moments coincide. */

/** The part of the moments in `one` that have one of `other` within `ms`, from 0 to 1. */
export function togetherShare(
  one: readonly number[],
  other: readonly number[],
  ms: number,
): number {
  const together = one.filter((at) => other.some((near) => Math.abs(at - near) < ms));
  return together.length / one.length;
}
