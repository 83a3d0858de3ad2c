/** Works on many boxes at once and takes their results in order. */
import { setMaxListeners } from "node:events";

/**
 * The most boxes in progress at once: as many requests as a daemon takes before it stops reading
 * (spec/thin-protocol §1.3). Each is a separate operation, for which the daemon chooses a courier;
 * the daemon also decides when it leaves.
 */
const MAX_UNDER_WAY = 16;

/** How far ahead of the first unfinished box others are started: this bounds the memory. */
const MAX_AHEAD = 256;

/** The work for each box. */
export interface BoxWork<T> {
  /** Number of the first box. */
  readonly from: number;
  /** Number after the last box. */
  readonly to: number;
  readonly signal: AbortSignal;
  /** Starts a box; called in order, without waiting for the one before. */
  readonly start: (box: number, signal: AbortSignal) => Promise<T>;
  /** Takes the result of a box; called in order, each after the one before has resolved. */
  readonly take: (box: number, result: T) => Promise<void>;
}

/** Processes the boxes. The first failure ends those in progress and is thrown. */
export async function inOrder<T>(work: BoxWork<T>): Promise<void> {
  const { from, to, start, take } = work;
  const ending = new AbortController();
  const signal = AbortSignal.any([work.signal, ending.signal]);
  // Each box in progress adds a listener; this is not a leak.
  setMaxListeners(0, signal);
  const underWay = new Set<Promise<void>>();
  const results = new Map<number, T>();
  const failures: unknown[] = [];
  const begin = (box: number): void => {
    const one = start(box, signal)
      .then((result) => void results.set(box, result))
      .catch((error: unknown) => void failures.push(error))
      .finally(() => underWay.delete(one));
    underWay.add(one);
  };
  let begun = from;
  try {
    for (let taken = from; taken < to;) {
      work.signal.throwIfAborted();
      if (failures.length > 0) throw failures[0];
      while (begun < to && underWay.size < MAX_UNDER_WAY && begun - taken < MAX_AHEAD) {
        begin(begun++);
      }
      if (results.has(taken)) {
        const result = results.get(taken)!;
        results.delete(taken);
        await take(taken++, result);
      } else {
        await Promise.race(underWay);
      }
    }
  } finally {
    ending.abort();
    await Promise.all(underWay);
  }
}
