/** The network's idea of time: which epoch it is, and when the next begins. */
import type { Clock } from "../clock/clock.js";
import { epochAt } from "../pki/epoch.js";

/** An epoch as the network counts it. */
export interface NetworkEpoch {
  /** Number of the epoch: the clock's, and one more for each that was skipped. */
  readonly current: number;
  /** Length of an epoch, in ms. */
  readonly periodMs: number;
  /** Until the next begins, in ms. */
  readonly leftMs: number;
}

/** Epochs by a clock, with as many skipped as one likes. spec/mixnet §3.1. */
export class NetworkTime {
  readonly periodMs: number;
  readonly #clock: Clock;
  #skipped = 0;

  /** @param periodMs length of an epoch, in ms. */
  constructor(clock: Clock, periodMs: number) {
    this.#clock = clock;
    this.periodMs = periodMs;
  }

  /** The epoch in so many ms from now. */
  epochIn(ms: number): number {
    return epochAt(this.#clock.now() + ms, this.periodMs).epoch + this.#skipped;
  }

  /** The epoch it is. */
  epoch(): NetworkEpoch {
    const { epoch, leftMs } = epochAt(this.#clock.now(), this.periodMs);
    return { current: epoch + this.#skipped, periodMs: this.periodMs, leftMs };
  }

  /** Makes the next epoch the current one, without moving the clock. */
  skipEpoch(): void {
    this.#skipped++;
  }
}
