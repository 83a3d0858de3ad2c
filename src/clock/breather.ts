/** Pauses in long work, so that other work gets its turn. */
import type { Clock } from "./clock.js";

/** How long work may continue before sockets and timers get a turn, in ms. */
const longestStretchMs = 10;

/**
 * Pauses long work now and then. Otherwise, in a network without delays, a copy of thousands of
 * boxes would be one long chain of promise reactions, during which no socket is read.
 *
 * All long work of a network shares one instance. If each piece of work paused separately, they
 * would continue one after the other in the same turn, each for its full time.
 */
export class Breather {
  readonly #clock: Clock;
  #since: number;
  #pausing: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** Call this between two pieces of work: it pauses if the last pause was long enough ago. */
  pause(): Promise<void> {
    if (this.#pausing !== null) return this.#pausing;
    if (this.#clock.monotonic() - this.#since < longestStretchMs) return Promise.resolve();
    this.#pausing = new Promise((resolve) => {
      this.#clock.soon(() => {
        this.#since = this.#clock.monotonic();
        this.#pausing = null;
        resolve();
      });
    });
    return this.#pausing;
  }
}
