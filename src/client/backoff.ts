/** How long the client waits before it dials the daemon again. */

/** The shortest and the longest pause, in ms. */
export interface BackoffLimits {
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
}

/** How many short-lived connections in a row are allowed before the pauses grow. */
const shortOnesAllowed = 3;

/**
 * Pauses that double with each failure and start again from the shortest after a success. If
 * several connections in a row last less than twice the pause before them, the pauses keep growing.
 * Otherwise the client would reconnect every second forever to a daemon that exits after each
 * connection, or fight with another client that takes over the same session.
 */
export class Backoff {
  readonly #limits: BackoffLimits;
  #next: number;
  /** The pause before the current or last connection. */
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

  /** Records that a connection was made. */
  connected(nowMs: number): void {
    this.#connectedAt = nowMs;
  }

  /**
   * Records that the connection was lost. Returns true if the pauses start again from the shortest.
   */
  lost(nowMs: number): boolean {
    const lasted = nowMs - this.#connectedAt >= 2 * this.#before;
    this.#shortOnes = lasted ? 0 : this.#shortOnes + 1;
    if (this.#shortOnes > shortOnesAllowed) return false;
    this.#next = this.#limits.initialDelayMs;
    return true;
  }
}
