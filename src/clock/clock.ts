/**
 * The clock everything here waits by. Nothing else in the project may touch the platform's timers.
 */
import { onAbort } from "./on-abort.js";

/** A timer that was set. */
export interface Timer {
  /** Takes it back; harmless when it has fired or was cancelled before. */
  cancel(): void;
}

/** Time, and the waiting for it: the platform's or a test's. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. May jump when the machine's clock is set. */
  now(): number;
  /**
   * Milliseconds since some fixed moment; never goes back and never jumps with the machine's clock.
   */
  monotonic(): number;
  /**
   * Runs `callback` once after `ms` milliseconds. A timer set with `background` does not keep the
   * process alive by itself.
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
   * Runs `callback` in a later turn of the event loop, in the order of the calls and without the
   * millisecond that a timer of 0 costs. Long work calls it now and then so that others get a turn.
   */
  soon(callback: () => void): void;
  /**
   * Resolves after `ms` milliseconds; rejects with the signal's reason when `signal` is aborted
   * first, and then leaves no timer behind.
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
