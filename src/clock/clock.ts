/** The clock for all waits. No other code in the project may use the platform's timers. */
import { onAbort } from "./on-abort.js";

/** A timer. */
export interface Timer {
  /** Cancels it; harmless if it has fired or was already cancelled. */
  cancel(): void;
}

/** Time, and waiting: the platform's clock or a test's. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. It may jump when the machine's clock is set. */
  now(): number;
  /**
   * Milliseconds since some fixed moment; it never goes back and never jumps with the machine's
   * clock.
   */
  monotonic(): number;
  /**
   * Runs `callback` once after `ms` milliseconds. A timer with `background` does not keep the
   * process alive.
   */
  after(
    ms: number,
    callback: () => void,
    options?: {
      /** Whether the process may end before the timer fires; false by default. */
      background?: boolean;
    },
  ): Timer;
  /**
   * Runs `callback` in a later turn of the event loop, in the order of the calls, without the
   * millisecond that a timer of 0 costs. Long work calls it now and then so that other work gets a
   * turn.
   */
  soon(callback: () => void): void;
  /**
   * Resolves after `ms` milliseconds. If `signal` is aborted first, it rejects with the signal's
   * reason and cancels its timer.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** {@link Clock.sleep} for any clock that has `after`. */
export function sleepOn(
  clock: Pick<Clock, "after">,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = clock.after(ms, () => {
      leave?.();
      resolve();
    });
    const leave =
      signal &&
      onAbort(signal, () => {
        timer.cancel();
        reject(signal.reason);
      });
  });
}
