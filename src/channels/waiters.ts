/** Promises that wait for something to change. */
import { onAbort } from "../clock/on-abort.js";

/** The callers that wait for one change. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  /** Resolves at the next {@link wake}; rejects with the signal's reason when that is aborted first. */
  wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const wake = (): void => {
        this.#waiting.delete(wake);
        leave?.();
        resolve();
      };
      const leave =
        signal &&
        onAbort(signal, () => {
          this.#waiting.delete(wake);
          reject(signal.reason);
        });
      this.#waiting.add(wake);
    });
  }

  /** Lets all waiting callers continue. */
  wake(): void {
    for (const wake of this.#waiting) wake();
  }
}
