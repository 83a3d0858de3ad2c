/** The clock of a machine that sleeps, and whose time of day can be set. */
import type { Clock, Timer } from "../../../src/clock/clock.js";
import type { VirtualClock } from "../../../src/clock/virtual.js";

/**
 * The clock of a machine. Its time of day can be set, and it continues while the machine sleeps.
 */
export class MachineClock implements Clock {
  readonly #base: VirtualClock;
  #wallMs = 0;
  #sleptMs = 0;

  constructor(base: VirtualClock) {
    this.#base = base;
  }

  jump(wallMs: number, sleptMs: number): void {
    this.#wallMs += wallMs + sleptMs;
    this.#sleptMs += sleptMs;
  }

  now(): number {
    return this.#base.now() + this.#wallMs;
  }

  monotonic(): number {
    return this.#base.monotonic() + this.#sleptMs;
  }

  after(ms: number, callback: () => void): Timer {
    return this.#base.after(ms, callback);
  }

  soon(callback: () => void): void {
    this.#base.soon(callback);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#base.sleep(ms, signal);
  }
}
