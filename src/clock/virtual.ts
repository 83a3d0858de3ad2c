/**
 * A clock that moves only on request: hours of protocol time pass in milliseconds, in exact order.
 */
import { type Clock, type Timer, sleepOn } from "./clock.js";

declare const setImmediate: ((callback: () => void) => void) | undefined;
declare function setTimeout(callback: () => void, ms: number): unknown;

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  state: "set" | "done" | "cancelled";
}

/** Lets everything that is ready run: promise reactions, and sockets with data. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}

/**
 * A {@link Clock} for tests. Timers fire in the order of their times, equal times in the order in
 * which they were set; between two of them everything that became ready may run.
 */
export class VirtualClock implements Clock {
  #now: number;
  readonly #start: number;
  #order = 0;
  readonly #heap: Entry[] = [];
  #cancelled = 0;

  /** @param startMs the initial value of `now()`, in milliseconds since 1970. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs;
    this.#start = startMs;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(ms: number, callback: () => void): Timer {
    const at = this.#now + Math.max(0, ms);
    const entry: Entry = { at, order: this.#order++, callback, state: "set" };
    this.#push(entry);
    return {
      cancel: () => {
        if (entry.state !== "set") return;
        entry.state = "cancelled";
        this.#cancelled++;
      },
    };
  }

  soon(callback: () => void): void {
    this.after(0, callback);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#heap.length - this.#cancelled;
  }

  /** Moves the time forward by `ms`, and fires the timers that become due. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await settle();
    for (let next = this.#peek(); next && next.at <= target; next = this.#peek()) {
      await this.#fire(next);
    }
    this.#now = target;
  }

  /**
   * Fires the timers of the next `limitMs` milliseconds, also those that are set meanwhile. The time
   * is then that of the last timer that fired.
   */
  async runUntilIdle(limitMs = 3_600_000): Promise<void> {
    const limit = this.#now + limitMs;
    await settle();
    for (let next = this.#peek(); next && next.at <= limit; next = this.#peek()) {
      await this.#fire(next);
    }
  }

  /**
   * Moves the time forward until `promise` settles, and returns its result.
   * @throws RangeError when it is still pending after `limitMs`, or when no timer is left to fire.
   */
  async runUntil<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    const limit = this.#now + limitMs;
    // Real sockets need a few turns of the event loop before their data is there.
    for (let idleTurns = 0; ;) {
      await settle();
      if (settled) return promise;
      const next = this.#peek();
      if (next && next.at <= limit) {
        idleTurns = 0;
        await this.#fire(next);
      } else if (++idleTurns > 1000) {
        throw new RangeError(`\`promise\` must settle within ${limitMs} ms, it is still pending`);
      }
    }
  }

  async #fire(entry: Entry): Promise<void> {
    this.#pop();
    entry.state = "done";
    this.#now = Math.max(this.#now, entry.at);
    entry.callback();
    await settle();
  }

  #peek(): Entry | undefined {
    while (this.#heap[0]?.state === "cancelled") {
      this.#pop();
      this.#cancelled--;
    }
    return this.#heap[0];
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
