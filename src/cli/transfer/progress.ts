/** The live line of a transfer: how much, how fast, how long still. */
import type { Output } from "../output.js";
import { bar, size } from "../terminal.js";

/** Least time between two drawings, in milliseconds. */
const REDRAW_MS = 100;
/** The rate is that of about so long, in milliseconds. */
const RATE_MS = 10_000;
const BAR_WIDTH = 20;
/** Room for a name. */
const NAME_WIDTH = 16;

/** Shows how far a transfer is. Draws only when told of progress: it keeps no time of its own. */
export class Progress {
  readonly #output: Output;
  readonly #label: string;
  readonly #total: number;
  readonly #now: () => number;
  /** Times and bytes of the last {@link RATE_MS}. */
  readonly #samples: { readonly at: number; readonly done: number }[] = [];
  #drawnAt = -Infinity;

  /** @param done bytes that were there before. @param total bytes in all. */
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
  }

  /** Tells that `done` bytes in all are done; `name` is the file under way. */
  update(done: number, name: string): void {
    const at = this.#now();
    if (at - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = at;
    this.#samples.push({ at, done });
    while (this.#samples.length > 2 && at - this.#samples[0]!.at > RATE_MS) this.#samples.shift();
    this.#output.status(this.text(done, name));
  }

  /** The line, at most 79 characters. */
  text(done: number, name: string): string {
    const share = this.#total === 0 ? 1 : done / this.#total;
    const first = this.#samples[0]!;
    const last = this.#samples.at(-1)!;
    const perSecond =
      last.at > first.at ? ((last.done - first.done) / (last.at - first.at)) * 1e3 : 0;
    const short = name.length > NAME_WIDTH ? `${name.slice(0, NAME_WIDTH - 1)}…` : name;
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    const rate = perSecond > 0 ? `${size(Math.round(perSecond))}/s` : "";
    const left = perSecond > 0 ? `${clock((this.#total - done) / perSecond)} left` : "";
    const line = `${this.#label} ${short} ${bar(share, BAR_WIDTH)} ${percent}  ${rate}  ${left}`;
    return line.trimEnd();
  }
}

/** Seconds as `0:07`, `12:30`, `3:05:00`; days where it is so long. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole >= 360_000) return `${Math.round(whole / 86_400)} days`;
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}
