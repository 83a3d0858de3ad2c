/** A limit on how many tasks run at once. */

/** Runs at most a fixed number of tasks at a time; the others wait in order. */
export class ConcurrencyGate {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** @param limit how many tasks may run at a time, at least 1. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many tasks wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Runs `task` when its turn comes, and settles as it does. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limit) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The next waiting task takes over the place, so the count stays.
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
