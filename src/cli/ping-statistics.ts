/** Times of pings, summed up as `ping` does. */

/** A range of times and how many fell into it; the last range includes its end. */
export interface Bucket {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
}

/** What `katz ping` says at the end; the times are null when nothing came back. */
export interface PingSummary {
  readonly sent: number;
  readonly received: number;
  /** Replies that were still waited for at the end: neither received nor lost. */
  readonly waiting: number;
  /** Of those that are not waited for any more. */
  readonly lossPercent: number;
  readonly minMs: number | null;
  readonly avgMs: number | null;
  readonly maxMs: number | null;
  /** Standard deviation. */
  readonly mdevMs: number | null;
  readonly histogram: readonly Bucket[];
}

const BUCKETS = 8;

/**
 * Sums up.
 * @param times of the replies, in milliseconds.
 * @param waiting how many of those that were sent are still waited for.
 */
export function summarize(sent: number, times: readonly number[], waiting = 0): PingSummary {
  const received = times.length;
  const over = sent - waiting;
  const lossPercent = over === 0 ? 0 : Math.round((1000 * (over - received)) / over) / 10;
  if (received === 0) {
    const none = { minMs: null, avgMs: null, maxMs: null, mdevMs: null };
    return { sent, received, waiting, lossPercent, ...none, histogram: [] };
  }
  let [sum, squares, min, max] = [0, 0, Infinity, 0];
  for (const time of times) {
    sum += time;
    squares += time * time;
    min = Math.min(min, time);
    max = Math.max(max, time);
  }
  const avg = sum / received;
  return {
    sent,
    received,
    waiting,
    lossPercent,
    minMs: round(min),
    avgMs: round(avg),
    maxMs: round(max),
    mdevMs: round(Math.sqrt(Math.max(0, squares / received - avg * avg))),
    histogram: histogram(times, min, max),
  };
}

/** Milliseconds to three places. */
export function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Milliseconds as they are printed: always with three places, so that they stand in line. */
export function shown(ms: number | null): string {
  return (ms ?? 0).toFixed(3);
}

function histogram(times: readonly number[], min: number, max: number): Bucket[] {
  const buckets = max > min ? Math.min(BUCKETS, times.length) : 1;
  const width = (max - min) / buckets;
  const counts = Array.from({ length: buckets }, () => 0);
  for (const time of times) {
    const place = width > 0 ? Math.floor((time - min) / width) : 0;
    counts[Math.min(place, buckets - 1)]!++;
  }
  return counts.map((count, i) => ({
    fromMs: round(min + i * width),
    toMs: round(i === buckets - 1 ? max : min + (i + 1) * width),
    count,
  }));
}
