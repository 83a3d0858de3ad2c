/** Derives the length of a network's epochs from the number of one. */
import { DEFAULT_EPOCH_MS, epochAt } from "katzenpost-thinclient";

/** Lengths are multiples of these, in milliseconds, most usual first. */
const STEPS_MS = [60_000, 10_000, 1000, 500] as const;

/** Longest length that is tried, in milliseconds: beyond it the number does not say enough. */
const LONGEST_MS = 24 * 3_600_000;

/**
 * The length of an epoch, in milliseconds, with which `epoch` is the current one or next to it;
 * null if no usual length fits. All networks count from the same moment, so the number of the
 * current epoch determines the length: within milliseconds, if it is minutes.
 */
export function epochLengthOf(epoch: number, nowMs: number): number | null {
  const fits = (lengthMs: number): boolean => Math.abs(epochAt(nowMs, lengthMs).epoch - epoch) <= 1;
  if (fits(DEFAULT_EPOCH_MS)) return DEFAULT_EPOCH_MS;
  if (epoch < 1) return null;
  const { epoch: sinceMs } = epochAt(nowMs, 1);
  for (const step of STEPS_MS) {
    const lengthMs = Math.round(sinceMs / (epoch + 0.5) / step) * step;
    if (lengthMs > 0 && lengthMs <= LONGEST_MS && fits(lengthMs)) return lengthMs;
  }
  return null;
}
