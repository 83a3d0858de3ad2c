/** Sums up ping times, as `ping` does. */

/** A range of times, with the number of times in it; the last range includes its end. */
export interface Bucket {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
}

/** The final summary of `katz ping`; the times are null if no reply arrived. */
export interface PingSummary {
  readonly sent: number;
  readonly received: number;
  /** Replies that were still awaited at the end: neither received nor lost. */
  readonly waiting: number;
  /** Rounds in which nothing could be sent: neither sent nor lost. */
  readonly unsent: number;
  /** The percentage of lost replies among those that are not awaited any more. */
  readonly lossPercent: number;
  readonly minMs: number | null;
  readonly avgMs: number | null;
  readonly maxMs: number | null;
  /** Standard deviation. */
  readonly mdevMs: number | null;
  readonly histogram: readonly Bucket[];
}

/** The most ranges of a histogram. */
const BUCKETS = 8;

/** The most points that are kept; even half of them are much finer than the eight ranges shown. */
const MOST_POINTS = 4096;

/** Replies that took the same time, or nearly the same. */
interface Point {
  readonly ms: number;
  readonly count: number;
}

/**
 * The times of any number of replies in bounded memory. Sums are exact. The histogram is exact up
 * to 4096 replies. Beyond that, each time is known to about 1/2000 of the whole range, so a time
 * near the end of a range may be counted in the next one.
 */
export class PingTimes {
  #count = 0;
  #min = Infinity;
  #max = 0;
  #mean = 0;
  /** Sum of the squared differences from the mean. */
  #squares = 0;
  #points: Point[] = [];

  /** How many times were added. */
  get count(): number {
    return this.#count;
  }

  /** How many numbers are kept for the histogram. */
  get kept(): number {
    return this.#points.length;
  }

  /** Adds the time of one reply, in milliseconds. */
  add(ms: number): void {
    this.#count++;
    this.#min = Math.min(this.#min, ms);
    this.#max = Math.max(this.#max, ms);
    // Summed around the mean (Welford), because sums of the squared times would lose precision.
    const off = ms - this.#mean;
    this.#mean += off / this.#count;
    this.#squares += off * (ms - this.#mean);
    this.#points.push({ ms, count: 1 });
    if (this.#points.length > MOST_POINTS) this.#merge();
  }

  /** The sums and the histogram; the times are null if none was added. */
  summary(): Pick<PingSummary, "minMs" | "avgMs" | "maxMs" | "mdevMs" | "histogram"> {
    if (this.#count === 0) {
      return { minMs: null, avgMs: null, maxMs: null, mdevMs: null, histogram: [] };
    }
    return {
      minMs: round(this.#min),
      avgMs: round(this.#mean),
      maxMs: round(this.#max),
      mdevMs: round(Math.sqrt(Math.max(0, this.#squares / this.#count))),
      histogram: this.#histogram(),
    };
  }

  /** Replaces all points in the same narrow part of the range with one point at their mean. */
  #merge(): void {
    const parts = this.#parts(MOST_POINTS / 2);
    this.#points = parts
      .filter((points) => points.length > 0)
      .map((points) => {
        const count = countOf(points);
        const ms = points.reduce((sum, point) => sum + point.ms * (point.count / count), 0);
        return { ms, count };
      });
  }

  #histogram(): Bucket[] {
    const buckets = this.#max > this.#min ? Math.min(BUCKETS, this.#count) : 1;
    const width = (this.#max - this.#min) / buckets;
    return this.#parts(buckets).map((points, i) => ({
      fromMs: round(this.#min + i * width),
      toMs: round(i === buckets - 1 ? this.#max : this.#min + (i + 1) * width),
      count: countOf(points),
    }));
  }

  /** Groups the points by equal parts of the range. */
  #parts(count: number): Point[][] {
    const width = (this.#max - this.#min) / count;
    const parts = Array.from({ length: count }, (): Point[] => []);
    for (const point of this.#points) {
      const place = width > 0 ? Math.floor((point.ms - this.#min) / width) : 0;
      parts[Math.max(0, Math.min(place, count - 1))]!.push(point);
    }
    return parts;
  }
}

/**
 * Makes the summary.
 * @param times the times of the replies.
 * @param waiting how many sent messages are still awaited.
 * @param unsent how many could not be sent.
 */
export function summarize(sent: number, times: PingTimes, waiting = 0, unsent = 0): PingSummary {
  const received = times.count;
  const over = sent - waiting;
  const lossPercent = over === 0 ? 0 : Math.round((1000 * (over - received)) / over) / 10;
  return { sent, received, waiting, unsent, lossPercent, ...times.summary() };
}

/** Rounds milliseconds to three decimal places. */
export function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Milliseconds as printed: always with three decimal places, so that they align. */
export function shown(ms: number | null): string {
  return (ms ?? 0).toFixed(3);
}

function countOf(points: readonly Point[]): number {
  return points.reduce((sum, { count }) => sum + count, 0);
}
