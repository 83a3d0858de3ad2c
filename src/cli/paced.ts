/** Rounds that begin at a pace, as long as not too many are unfinished. */
import { setTimeout as sleep } from "node:timers/promises";

/** How rounds follow each other. */
export interface Pace {
  /** Number of rounds; Infinity without an end. */
  readonly count: number;
  /** Least time from the beginning of one to that of the next, in milliseconds. */
  readonly intervalMs: number;
  /**
   * Most rounds that may be unfinished: where they take longer than the interval, they set the
   * pace.
   */
  readonly window: number;
  /** Ends the pauses, and begins no further round. */
  readonly signal: AbortSignal;
}

/** Shortest pause, in milliseconds: rounds may end at once where nothing can be sent. */
const SHORTEST_MS = 1;

/** Runs rounds, numbered from 1; resolves when all that were begun have ended. */
export async function paced(
  { count, intervalMs, window, signal }: Pace,
  round: (number: number) => Promise<void>,
): Promise<void> {
  const unfinished = new Set<Promise<void>>();
  for (let number = 1; number <= count && !signal.aborted; number++) {
    const one = round(number).finally(() => unfinished.delete(one));
    unfinished.add(one);
    if (number === count) break;
    // Aborting ends the pause; what it throws says nothing that the loop does not look at.
    await sleep(Math.max(SHORTEST_MS, intervalMs), undefined, { signal }).catch(() => {});
    while (unfinished.size >= window && !signal.aborted) await Promise.race(unfinished);
  }
  await Promise.all(unfinished);
}
