/** Long work in one process must let others have their turn. */
import type { Clock } from "../clock/clock.js";

/** How long work may go on before sockets and timers get a turn, in ms. */
const longestStretchMs = 10;

/**
 * A stretch of work that pauses now and then. In a network without delays a copy of thousands of
 * boxes would otherwise be one long chain of promise reactions, during which no socket is read.
 */
export class Breather {
  readonly #clock: Clock;
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** To be called between two pieces of work: pauses when the last pause is a while ago. */
  async pause(): Promise<void> {
    if (this.#clock.monotonic() - this.#since < longestStretchMs) return;
    await this.#clock.sleep(0);
    this.#since = this.#clock.monotonic();
  }
}
