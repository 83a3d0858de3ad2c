/** The network's time: the current epoch, and when the next begins. */
import type { Clock } from "../clock/clock.js";
import { epochAt } from "../pki/epoch.js";

/** An epoch as the network counts it. */
export interface NetworkEpoch {
  /** Number of the epoch: the clock's, plus one for each skipped epoch. */
  readonly current: number;
  /** Length of an epoch, in ms. */
  readonly periodMs: number;
  /** Time until the next one begins, in ms. */
  readonly leftMs: number;
}

/** Epochs by a clock, with any number of skipped epochs (spec/mixnet §3.1). */
export class NetworkTime {
  readonly periodMs: number;
  readonly #clock: Clock;
  #skipped = 0;

  /** @param periodMs length of an epoch, in ms. */
  constructor(clock: Clock, periodMs: number) {
    this.#clock = clock;
    this.periodMs = periodMs;
  }

  /** The epoch `ms` milliseconds from now. */
  epochIn(ms: number): number {
    return epochAt(this.#clock.now() + ms, this.periodMs).epoch + this.#skipped;
  }

  /** The current epoch. */
  epoch(): NetworkEpoch {
    const { epoch, leftMs } = epochAt(this.#clock.now(), this.periodMs);
    return { current: epoch + this.#skipped, periodMs: this.periodMs, leftMs };
  }

  /** Makes the next epoch the current one, without moving the clock. */
  skipEpoch(): void {
    this.#skipped++;
  }
}
