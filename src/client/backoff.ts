/** How long to wait before the daemon is dialled again. */

/** Between which two pauses, in ms, the waiting moves. */
export interface BackoffLimits {
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
}

/** How many connections in a row may be short before the pauses grow. */
const shortOnesAllowed = 3;

/**
 * Pauses that double with each failure and begin again with each success. But when one connection
 * after the other does not last twice as long as the pause before it, the pauses go on growing: a
 * daemon that ends each time we connect, or another client that takes our session over whenever we
 * take it back, must not be met every second forever.
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  #next: number;
  /** The pause before the connection that there is, or was last. */
  #before = 0;
  #connectedAt = -Infinity;
  #shortOnes = 0;

  constructor(limits: BackoffLimits) {
    this.#limits = limits;
    this.#next = limits.initialDelayMs;
  }

  /** The next pause, in ms. Half of it is random, so that many clients do not come back in step. */
  pause(): number {
    const pause = this.#next;
    this.#before = pause;
    this.#next = Math.min(2 * pause, this.#limits.maxDelayMs);
    return pause / 2 + (pause / 2) * Math.random();
  }

  /** A connection is there. */
  connected(nowMs: number): void {
    this.#connectedAt = nowMs;
  }

  /** It is lost. Gives whether the pauses begin again. */
  lost(nowMs: number): boolean {
    const lasted = nowMs - this.#connectedAt >= 2 * this.#before;
    this.#shortOnes = lasted ? 0 : this.#shortOnes + 1;
    if (this.#shortOnes > shortOnesAllowed) return false;
    this.#next = this.#limits.initialDelayMs;
    return true;
  }
}
