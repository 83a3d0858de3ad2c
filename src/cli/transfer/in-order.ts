/** Many boxes in progress at once, their results taken in order. */
import { setMaxListeners } from "node:events";

/**
 * Most boxes that are in progress at once: as many requests as a daemon takes before it stops reading
 * (spec/thin-protocol §1.3). Each is an operation of its own, with a courier that the daemon
 * chooses for it alone; when it leaves is the daemon's business.
 */
const MAX_UNDER_WAY = 16;

/** How far ahead of the first box that is not done others are begun: bounds what is held. */
const MAX_AHEAD = 256;

/** What is to be done for each box. */
export interface BoxWork<T> {
  /** Number of the first box. */
  readonly from: number;
  /** Number of the first box that is not wanted any more. */
  readonly to: number;
  readonly signal: AbortSignal;
  /** Begins a box; called in order, without waiting for the one before. */
  readonly start: (box: number, signal: AbortSignal) => Promise<T>;
  /** Takes what came of a box; called in order, each after the one before has resolved. */
  readonly take: (box: number, result: T) => Promise<void>;
}

/** Works through the boxes. The first failure ends those in progress and is thrown. */
export async function inOrder<T>(work: BoxWork<T>): Promise<void> {
  const { from, to, start, take } = work;
  const ending = new AbortController();
  const signal = AbortSignal.any([work.signal, ending.signal]);
  // Each box in progress listens to it, which is no leak.
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
