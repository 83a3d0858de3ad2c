/**
 * Shows what the command waits for: at once on a live terminal, and as a separate line after a long
 * time.
 */
import type { Output } from "./output.js";
import { clock } from "./text.js";

/** After how long without news a line is printed, in milliseconds. */
const LONG_MS = 20_000;

/** How often the live line is redrawn without news, in milliseconds. */
const REDRAW_MS = 1000;

/** Watches a wait that may be long, until it is disposed of. */
export class Patience implements Disposable {
  readonly #output: Output;
  readonly #what: () => string;
  readonly #longMs: number;
  readonly #timer: NodeJS.Timeout;
  #since = performance.now();
  #isSaid = false;

  /**
   * @param what describes what is awaited, e.g. `box 3, which is empty so far`; called each time it
   * is shown.
   */
  constructor(output: Output, what: () => string, longMs = LONG_MS) {
    this.#output = output;
    this.#what = what;
    this.#longMs = longMs;
    this.#timer = setInterval(() => this.#look(), Math.min(REDRAW_MS, longMs));
  }

  /** Reports progress. */
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
