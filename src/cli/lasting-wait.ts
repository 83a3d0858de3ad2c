/** Waits without a limit of its own: until `--timeout` or Ctrl-C. */
import { RequestTimeoutError } from "katzenpost-thinclient";

/** A signal that a deadline also aborts; the deadline restarts with every {@link begin}. */
export class LastingWait implements Disposable {
  readonly #timeoutMs: number | undefined;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** Aborted by the outer signal, or with a `RequestTimeoutError` at the deadline. */
  readonly signal: AbortSignal;

  /** @param timeoutMs longest wait; without it there is no deadline. */
  constructor(outer: AbortSignal, timeoutMs: number | undefined) {
    this.#timeoutMs = timeoutMs;
    this.signal = AbortSignal.any([outer, this.#stop.signal]);
  }

  /** Begins a wait. @param otherwise the error's text at the deadline. */
  begin(otherwise: string): void {
    clearTimeout(this.#timer);
    if (this.#timeoutMs === undefined) return;
    this.#timer = setTimeout(
      () => this.#stop.abort(new RequestTimeoutError(otherwise)),
      this.#timeoutMs,
    );
  }

  /** Settles as `promise` does. @throws the signal's reason, as soon as it is aborted. */
  of<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onAbort = (): void => reject(this.signal.reason as Error);
      if (this.signal.aborted) return onAbort();
      this.signal.addEventListener("abort", onAbort, { once: true });
      promise
        .then(resolve, reject)
        .finally(() => this.signal.removeEventListener("abort", onAbort));
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
