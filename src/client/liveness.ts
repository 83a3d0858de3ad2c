/**
 * Finds a daemon that is gone without a word: a machine that was unplugged, a process that hangs. When
 * nothing was heard for a while a cheap local request is sent; if nothing comes back either, the
 * connection is given up and made anew.
 */
import type { Clock, Timer } from "../clock/clock.js";

/** What watching needs. */
export interface LivenessOptions {
  readonly clock: Clock;
  /** How long nothing may be heard before a probe is sent, in milliseconds. */
  readonly intervalMs: number;
  /** How long its answer may take, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * Whether the daemon has local requests to answer. It answers them one after the other, and
   * encryption at a real one takes ten seconds and more: no news means nothing then.
   */
  readonly isBusy: () => boolean;
  /**
   * How much longer than usual it may be silent now, in milliseconds: while packets wait to leave it
   * may not read on, and then it does not see the probe either.
   */
  readonly patienceMs: () => number;
  readonly probe: () => void;
  /** It was silent for so long, in milliseconds, and did not answer. */
  readonly onDead: (silentMs: number) => void;
}

/** Watches one connection. */
export class Liveness {
  readonly #options: LivenessOptions;
  #timer: Timer | null = null;
  #heard = false;
  #silentSince = 0;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** Begins to watch. */
  start(): void {
    this.#heard = false;
    this.#silentSince = this.#options.clock.monotonic();
    this.#wait(this.#options.intervalMs, () => this.#look());
  }

  /** Something came. */
  heard(): void {
    this.#heard = true;
  }

  /** Ends watching. Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #look(): void {
    const { timeoutMs, isBusy, probe } = this.#options;
    if (this.#heard || isBusy()) {
      this.start();
      return;
    }
    probe();
    this.#wait(timeoutMs, () => this.#judge());
  }

  #judge(): void {
    const { clock, intervalMs, timeoutMs, isBusy, patienceMs, onDead } = this.#options;
    const silentMs = clock.monotonic() - this.#silentSince;
    if (this.#heard || isBusy()) this.start();
    else if (silentMs >= intervalMs + timeoutMs + patienceMs()) onDead(silentMs);
    else this.#wait(timeoutMs, () => this.#judge());
  }

  #wait(ms: number, then: () => void): void {
    this.stop();
    this.#timer = this.#options.clock.after(ms, then, { background: true });
  }
}
