/** Promises that wait for something to change. */
import { onAbort } from "../clock/on-abort.js";

/** The callers that wait for one change. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  #wakes = 0;

  /**
   * How often {@link wake} was called. Read it before checking whether there is something to wait
   * for.
   */
  get wakes(): number {
    return this.#wakes;
  }

  /**
   * Resolves at the next {@link wake}, or at once if there was one since `wakes`. If the signal is
   * aborted first, it rejects with the signal's reason.
   */
  wait(signal: AbortSignal | undefined, wakes: number = this.#wakes): Promise<void> {
    if (wakes !== this.#wakes) return Promise.resolve();
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
    this.#wakes++;
    for (const wake of this.#waiting) wake();
  }
}
