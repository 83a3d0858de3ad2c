/** What the terminal can show: colours only on a terminal, and only if they are wanted. */
import { randomBytes } from "node:crypto";
import { printable } from "./printable.js";
import { cellsOf, cut, wrap } from "./text.js";

/** An output stream; `process.stdout` fits. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The start and end of each style: numbers of the escape sequence (ECMA-48). */
const styles = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** A colour or weight. */
export type Style = keyof typeof styles;

/** Minimum width of a sentence, in characters, however narrow the terminal is. */
const MIN_SENTENCE = 20;

/**
 * Marks a style in a text until the text is written. Random, so that no outside text can contain
 * it.
 */
const MARK = randomBytes(16).toString("hex");

/**
 * Writes lines, styled if the output is a terminal and NO_COLOR (no-color.org) is not set. Only our
 * own styles control the terminal, whoever wrote the text.
 */
export class Terminal {
  readonly #output: Output;
  readonly #styled: boolean;
  /** Whether the output is a terminal that can rewrite its line. */
  readonly isLive: boolean;

  constructor(output: Output, env: NodeJS.ProcessEnv = process.env) {
    this.#output = output;
    this.isLive = this.isTerminal && env["TERM"] !== "dumb";
    this.#styled = this.isLive && (env["NO_COLOR"] ?? "") === "";
  }

  /** Whether a person looks at the output. */
  get isTerminal(): boolean {
    return this.#output.isTTY === true;
  }

  /**
   * How many characters fit on a line. A terminal that reports 0 columns does not know its width.
   */
  get width(): number {
    return this.#output.columns || 80;
  }

  /** Width of {@link status}: a line that is too long would wrap, and one half would stay. */
  get statusWidth(): number {
    return this.width - 1;
  }

  /** Returns `text` in a style, for {@link line}; or unchanged. */
  style(style: Style, text: string): string {
    if (!this.#styled) return text;
    const [begin, end] = styles[style];
    return `${MARK}${begin}m${text}${MARK}${end}m`;
  }

  /**
   * Writes one line. Line breaks and other control characters, except those in `keep`, become
   * `\u{…}`.
   */
  line(text = "", keep = ""): void {
    const [first, ...styled] = text.split(MARK);
    let shown = printable(first!, keep);
    for (const part of styled) {
      const end = part.indexOf("m") + 1;
      shown += `\x1b[${part.slice(0, end)}${printable(part.slice(end), keep)}`;
    }
    this.#output.write(`${shown}\n`);
  }

  /**
   * Writes a sentence after a styled label. On a terminal it is wrapped at spaces, unless parts of it
   * are styled; elsewhere it is one line.
   */
  sentence(text: string, style?: Style, label = ""): void {
    const begin = style === undefined ? label : `${this.style(style, label.trimEnd())} `;
    // Escaped characters take more room.
    const shown = printable(text);
    const [indent] = /^ */.exec(shown)!;
    const room = this.width - label.length;
    if (!this.isTerminal || cellsOf(shown) <= room || text.includes(MARK)) {
      this.line(begin + text);
      return;
    }
    // Indented further, so that nothing inside a text looks like the beginning of a message.
    const margin = `${indent}  `;
    const width = Math.max(
      MIN_SENTENCE,
      Math.min(room - indent.length, this.width - margin.length),
    );
    for (const [i, part] of wrap(shown.slice(indent.length), width).entries()) {
      this.line((i === 0 ? begin + indent : margin) + part);
    }
  }

  /** Writes one line unchanged for programs; for people as {@link line} does. */
  exactLine(text: string): void {
    if (this.isTerminal) this.line(text);
    else this.#output.write(`${text}\n`);
  }

  /** Shows `text` in the last line, replacing what was there; nothing if not live. */
  status(text: string): void {
    if (!this.isLive) return;
    this.#output.write(`\r\x1b[K${cut(printable(text), this.statusWidth)}`);
  }

  /** Ends {@link status}: the line becomes empty. */
  clearStatus(): void {
    if (this.isLive) this.#output.write("\r\x1b[K");
  }
}

/** A bar of `width` cells for a fraction from 0 to 1. */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.max(0, Math.min(1, share)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

/** A duration for people: `0.8 ms`, `12 ms`, `1.3 s`, `12 min`. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 90_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/** A size for people: `512 B`, `200 kB`, `4.9 MB`. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
