/**
 * Ctrl-C and similar signals: the first asks a command to end cleanly, the second ends it at once.
 */

const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
type SignalName = keyof typeof signals;

/**
 * Signals closer together than this, in milliseconds, count as one. `timeout` sends its signal to
 * the process and to the process group, and so does a shell beside `npx`, which passes it on.
 */
const SAME_MS = 250;

/** The reason of {@link Interrupts.signal}: a signal arrived. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  /** 128 plus the signal's number, as in shells. */
  readonly exitCode: number;

  constructor(signal: SignalName) {
    super(`interrupted by ${signal}`);
    this.exitCode = 128 + signals[signal];
  }
}

/** Listens for system signals until it is disposed of. */
export class Interrupts implements Disposable {
  readonly #controller = new AbortController();
  #firstAt = -Infinity;
  readonly #handler = (name: NodeJS.Signals): void => {
    const reason = new Interrupted(name as SignalName);
    if (!this.#controller.signal.aborted) {
      this.#firstAt = performance.now();
      this.#controller.abort(reason);
    } else if (performance.now() - this.#firstAt >= SAME_MS) {
      process.exit(reason.exitCode);
    }
  };

  constructor() {
    for (const name of Object.keys(signals)) process.on(name, this.#handler);
  }

  /** Aborted with an {@link Interrupted} by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const name of Object.keys(signals)) process.off(name, this.#handler);
  }
}

/** Resolves (never rejects) when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
