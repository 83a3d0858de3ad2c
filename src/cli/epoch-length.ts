/** How long a network's epochs are, from the number of one. */
import { DEFAULT_EPOCH_MS, epochAt } from "katzenpost-thinclient";

/** Lengths are whole numbers of these, in milliseconds: from the most usual on. */
const STEPS_MS = [60_000, 10_000, 1000, 500] as const;

/** Longest length that is looked for, in milliseconds: beyond it the number says too little. */
const LONGEST_MS = 24 * 3_600_000;

/**
 * The length of an epoch, in milliseconds, with which `epoch` is the present one or next to it;
 * null when no usual length fits. All networks count from the same moment, so that the number of
 * the present epoch tells the length: to some milliseconds, where it is minutes.
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
