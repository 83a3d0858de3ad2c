/**
 * Saying what is waited for: at once where a person looks on, in a line of its own when it takes
 * long.
 */
import type { Output } from "./output.js";
import { clock } from "./text.js";

/** How long nothing may come before that is said in a line, in milliseconds. */
const LONG_MS = 20_000;

/** How often the live line is drawn again while nothing comes, in milliseconds. */
const REDRAW_MS = 1000;

/** Watches over what may have to be waited for, until it is disposed of. */
export class Patience implements Disposable {
  readonly #output: Output;
  readonly #what: () => string;
  readonly #longMs: number;
  readonly #timer: NodeJS.Timeout;
  #since = performance.now();
  #isSaid = false;

  /** @param what is waited for, e.g. `box 3, which is empty so far`; asked each time it is said. */
  constructor(output: Output, what: () => string, longMs = LONG_MS) {
    this.#output = output;
    this.#what = what;
    this.#longMs = longMs;
    this.#timer = setInterval(() => this.#look(), Math.min(REDRAW_MS, longMs));
  }

  /** Tells that something came. */
  came(): void {
    this.#since = performance.now();
    this.#isSaid = false;
  }

  #look(): void {
    const ms = performance.now() - this.#since;
    if (ms < REDRAW_MS && ms < this.#longMs) return;
    if (ms >= this.#longMs && !this.#isSaid) {
      this.#isSaid = true;
      this.#output.remark(`still waiting for ${this.#what()}`);
    }
    this.#output.status(`waiting ${clock(ms / 1000)} for ${this.#what()}`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
