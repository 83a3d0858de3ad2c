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
  /** Rounds in which nothing could be sent: neither sent nor lost. */
  readonly unsent: number;
  /** Of those that are not waited for any more. */
  readonly lossPercent: number;
  readonly minMs: number | null;
  readonly avgMs: number | null;
  readonly maxMs: number | null;
  /** Standard deviation. */
  readonly mdevMs: number | null;
  readonly histogram: readonly Bucket[];
}

/** Most ranges of a histogram. */
const BUCKETS = 8;

/** Most points that are kept: half of them are fine beside the eight ranges that are shown. */
const MOST_POINTS = 4096;

/** Some replies that took equally long, or nearly so. */
interface Point {
  readonly ms: number;
  readonly count: number;
}

/**
 * The times of any number of replies in bounded memory. Sums are of all of them, exactly. So is the
 * histogram up to 4096 replies; of more it knows each time to about a 2000th of the whole range, so
 * that those at the end of a range may be counted in the next one.
 */
export class PingTimes {
  #count = 0;
  #min = Infinity;
  #max = 0;
  #mean = 0;
  /** Sum of the squares of what each is off the mean. */
  #squares = 0;
  #points: Point[] = [];

  /** How many were added. */
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
    // Summed up around the mean (Welford): squares of the times themselves would lose all places.
    const off = ms - this.#mean;
    this.#mean += off / this.#count;
    this.#squares += off * (ms - this.#mean);
    this.#points.push({ ms, count: 1 });
    if (this.#points.length > MOST_POINTS) this.#merge();
  }

  /** The sums and the histogram; the times are null when none was added. */
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

  /** One point for all in the same narrow part of the range, at their mean. */
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

  /** The points by which of so many equal parts of the range they are in. */
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
 * Sums up.
 * @param times of the replies.
 * @param waiting how many of those that were sent are still waited for.
 * @param unsent how many could not be sent.
 */
export function summarize(sent: number, times: PingTimes, waiting = 0, unsent = 0): PingSummary {
  const received = times.count;
  const over = sent - waiting;
  const lossPercent = over === 0 ? 0 : Math.round((1000 * (over - received)) / over) / 10;
  return { sent, received, waiting, unsent, lossPercent, ...times.summary() };
}

/** Milliseconds to three places. */
export function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Milliseconds as they are printed: always with three places, so that they stand in line. */
export function shown(ms: number | null): string {
  return (ms ?? 0).toFixed(3);
}

function countOf(points: readonly Point[]): number {
  return points.reduce((sum, { count }) => sum + count, 0);
}
