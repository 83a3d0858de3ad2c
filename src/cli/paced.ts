/** Rounds that start at a fixed pace, as long as not too many are unfinished. */
import { setTimeout as sleep } from "node:timers/promises";

/** The pace of the rounds. */
export interface Pace {
  /** Number of rounds; Infinity for no end. */
  readonly count: number;
  /** Minimum time from the start of one round to the start of the next, in milliseconds. */
  readonly intervalMs: number;
  /** The most unfinished rounds: if rounds take longer than the interval, this limits the pace. */
  readonly window: number;
  /** Ends the pause; no further round starts. */
  readonly signal: AbortSignal;
}

/** Shortest pause, in milliseconds, because a round may end at once if nothing can be sent. */
const SHORTEST_MS = 1;

/** Runs rounds, numbered from 1; resolves when all started rounds have ended. */
export async function paced(
  { count, intervalMs, window, signal }: Pace,
  round: (number: number) => Promise<void>,
): Promise<void> {
  const unfinished = new Set<Promise<void>>();
  for (let number = 1; number <= count && !signal.aborted; number++) {
    const one = round(number).finally(() => unfinished.delete(one));
    unfinished.add(one);
    if (number === count) break;
    // An abort ends the pause; the loop checks the signal itself.
    await sleep(Math.max(SHORTEST_MS, intervalMs), undefined, { signal }).catch(() => {});
    while (unfinished.size >= window && !signal.aborted) await Promise.race(unfinished);
  }
  await Promise.all(unfinished);
}
