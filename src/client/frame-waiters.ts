/** Those who wait for the daemon's next frame: `recv`, kept for parity. */
import type { Clock } from "../clock/clock.js";
import type { DaemonResponse } from "../wire/responses.js";
import { type CallOptions, watchDeadline } from "./call-options.js";

interface Waiter {
  readonly resolve: (response: DaemonResponse) => void;
  readonly reject: (reason: unknown) => void;
}

/** Waiters for the next frame. */
export class FrameWaiters {
  readonly #clock: Clock;
  #waiters: Waiter[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The next frame. */
  next(options: CallOptions | undefined): Promise<DaemonResponse> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (response) => {
          deadline.dispose();
          resolve(response);
        },
        reject: (reason) => {
          deadline.dispose();
          reject(reason);
        },
      };
      const deadline = watchDeadline(this.#clock, "recv", options, Infinity, (reason) => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(reason);
      });
      this.#waiters.push(waiter);
    });
  }

  /** A frame came. */
  give(response: DaemonResponse): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve(response);
  }

  /** No frame will come any more. */
  rejectAll(reason: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(reason);
  }
}
