/** Long work in one process must let others have their turn. */
import type { Clock } from "./clock.js";

/** How long work may go on before sockets and timers get a turn, in ms. */
const longestStretchMs = 10;

/**
 * Pauses long work now and then. In a network without delays a copy of thousands of boxes would
 * otherwise be one long chain of promise reactions, during which no socket is read.
 *
 * All long work of a network shares one of these: works that paused each for itself would go on one
 * after the other in the same turn, each for a stretch of its own.
 */
export class Breather {
  readonly #clock: Clock;
  #since: number;
  #pausing: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** To be called between two pieces of work: pauses when the last pause is a while ago. */
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
