/** Ctrl-C and the like: the first asks a command to end cleanly, the second ends it at once. */

const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;
type SignalName = keyof typeof signals;

/** A signal came; the reason of {@link Interrupts.signal}. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  /** 128 and the signal's number, as shells count. */
  readonly exitCode: number;

  constructor(signal: SignalName) {
    super(`interrupted by ${signal}`);
    this.exitCode = 128 + signals[signal];
  }
}

/** Listens for signals of the system until it is disposed of. */
export class Interrupts implements Disposable {
  readonly #controller = new AbortController();
  readonly #handler = (name: NodeJS.Signals): void => {
    const reason = new Interrupted(name as SignalName);
    if (this.#controller.signal.aborted) process.exit(reason.exitCode);
    this.#controller.abort(reason);
  };

  constructor() {
    for (const name of Object.keys(signals)) process.on(name, this.#handler);
  }

  /** Aborted, with an {@link Interrupted}, by the first signal. */
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
