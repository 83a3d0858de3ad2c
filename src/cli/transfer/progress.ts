/** The live line of a transfer: how much, how fast, and how much time is left. */
import type { Output } from "../output.js";
import { bar, size } from "../terminal.js";
import { cellsOf, clock, cut } from "../text.js";

/** Minimum time between two drawings, in milliseconds. */
const REDRAW_MS = 100;
/**
 * How often it is redrawn without progress, in milliseconds: the rate falls, and the time left
 * grows.
 */
const IDLE_MS = 1000;
/**
 * The period of the rate, in milliseconds: on a network of one packet a second boxes come in
 * bursts, seconds apart.
 */
const RATE_MS = 60_000;
/** Minimum time before a rate is shown, in milliseconds: the first burst says nothing. */
const FIRST_RATE_MS = 2000;
const MAX_BAR = 20;
const MIN_BAR = 6;
/** Width for a name: the most, and the least that is useful. */
const MAX_NAME = 16;
const MIN_NAME = 8;

/** Shows the progress of a transfer, until it is disposed of. */
export class Progress implements Disposable {
  readonly #output: Output;
  readonly #label: string;
  readonly #total: number;
  readonly #now: () => number;
  /** Times and bytes of the last {@link RATE_MS} milliseconds. */
  readonly #samples: { readonly at: number; readonly done: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  #last: { readonly done: number; readonly name: string } | null = null;
  #drawnAt = -Infinity;

  /** @param done bytes that were already there. @param total bytes in all. */
  constructor(
    output: Output,
    label: string,
    done: number,
    total: number,
    now: () => number = () => performance.now(),
  ) {
    this.#output = output;
    this.#label = label;
    this.#total = total;
    this.#now = now;
    this.#samples.push({ at: now(), done });
    this.#timer = setInterval(() => this.#draw(), IDLE_MS).unref();
  }

  /** Reports that `done` bytes in all are done; `name` is the file in progress. */
  update(done: number, name: string): void {
    const at = this.#now();
    this.#last = { done, name };
    if (at - this.#drawnAt < REDRAW_MS) return;
    this.#samples.push({ at, done });
    while (this.#samples.length > 2 && at - this.#samples[0]!.at > RATE_MS) this.#samples.shift();
    this.#draw();
  }

  #draw(): void {
    if (this.#last === null) return;
    this.#drawnAt = this.#now();
    this.#output.status(this.text(this.#last.done, this.#last.name));
  }

  /** The line: as much of it as fits into `width` characters, most important first. */
  text(done: number, name: string, width = this.#output.statusWidth): string {
    const share = this.#total === 0 ? 1 : done / this.#total;
    const first = this.#samples[0]!;
    const ms = this.#now() - first.at;
    const perSecond = ms >= FIRST_RATE_MS ? ((done - first.done) / ms) * 1e3 : 0;
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    const left = perSecond > 0 ? `  ${clock((this.#total - done) / perSecond)} left` : "";
    const rate = perSecond > 0 ? `  ${size(Math.round(perSecond))}/s` : "";
    const begin = this.#label;
    // The room left after the more important parts.
    let room = width - begin.length - percent.length - 1;
    const parts = { left: "", rate: "", bar: "", name: "" };
    const take = (part: keyof typeof parts, text: string): void => {
      const cells = cellsOf(text);
      if (cells > room) return;
      parts[part] = text;
      room -= cells;
    };
    take("left", left);
    take("bar", ` ${bar(share, Math.min(MAX_BAR, Math.max(MIN_BAR, room - 1 - rate.length)))}`);
    take("rate", rate);
    const most = Math.min(MAX_NAME, room - 1);
    const length = cellsOf(name);
    const short = length > most ? `${cut(name, most - 1)}…` : name;
    if (most >= Math.min(MIN_NAME, length)) take("name", ` ${short}`);
    return `${begin}${parts.name}${parts.bar} ${percent}${parts.rate}${parts.left}`;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
