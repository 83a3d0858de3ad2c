/** What the terminal can show: colours only where there is one, and only where they are wanted. */
import { styleText } from "node:util";

/** Where output goes; `process.stdout` fits. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** A colour or weight. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Writes lines, styled when the output is a terminal and NO_COLOR (no-color.org) is not set. */
export class Terminal {
  readonly #output: Output;
  readonly #styled: boolean;

  constructor(output: Output, env: NodeJS.ProcessEnv = process.env) {
    this.#output = output;
    const plain = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
    this.#styled = output.isTTY === true && !plain;
  }

  /** Whether the output is a terminal that can rewrite its line. */
  get isLive(): boolean {
    return this.#output.isTTY === true;
  }

  /** `text` in a style, or as it is. */
  style(style: Style, text: string): string {
    return this.#styled ? styleText(style, text) : text;
  }

  /** Writes a line. */
  line(text = ""): void {
    this.#output.write(`${text}\n`);
  }

  /** Shows `text` in the last line, in place of what was shown there; nothing when not live. */
  status(text: string): void {
    if (this.isLive) this.#output.write(`\r\x1b[K${text}`);
  }

  /** Ends {@link status}: the line is empty again. */
  clearStatus(): void {
    if (this.isLive) this.#output.write("\r\x1b[K");
  }
}

/** A bar of `width` cells for a share from 0 to 1. */
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
