/** What a command prints: text for people, or with `--json` one object a line for programs. */
import { toBase64, toHex } from "katzenpost-thinclient";
import { Terminal } from "./terminal.js";

/** The flags that say how to print. */
export interface OutputFlags {
  /** One JSON object a line on standard output instead of text. */
  readonly json: boolean;
  /** Results only: no headings, remarks or progress. */
  readonly quiet: boolean;
}

/** An object for `--json`; see {@link toJson} for what is written how. */
export type JsonRecord = Readonly<Record<string, unknown>> & { readonly type: string };

/** Writes results to standard output and remarks to standard error. */
export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Standard output, for styles and for {@link Terminal.isLive}. */
  readonly terminal = new Terminal(process.stdout);
  /** Standard error. */
  readonly errors = new Terminal(process.stderr);

  constructor(flags: OutputFlags) {
    this.json = flags.json;
    this.quiet = flags.quiet;
  }

  /** A result: `text` for people, `record` for programs. */
  result(text: string, record: JsonRecord): void {
    if (this.json) this.record(record);
    else this.terminal.line(text);
  }

  /** A line of the result for people; nothing with `--json`. */
  line(text = ""): void {
    if (!this.json) this.terminal.line(text);
  }

  /** A line that only decorates: nothing with `--json` or `--quiet`. */
  heading(text = ""): void {
    if (!this.json && !this.quiet) this.terminal.line(text);
  }

  /** A line of JSON; nothing without `--json`. */
  record(record: JsonRecord): void {
    if (this.json) this.terminal.line(toJson(record));
  }

  /** A remark on standard error; nothing with `--json` or `--quiet`. */
  remark(text: string): void {
    if (this.json || this.quiet) return;
    this.errors.clearStatus();
    this.errors.line(text);
  }

  /** Replaces the live line on standard error, where there is a terminal and somebody looks. */
  status(text: string): void {
    if (!this.json && !this.quiet) this.errors.status(text);
  }

  /** Removes the live line. */
  clearStatus(): void {
    if (!this.json && !this.quiet) this.errors.clearStatus();
  }

  /** `text` in a style of standard output. */
  style(...args: Parameters<Terminal["style"]>): string {
    return this.terminal.style(...args);
  }
}

/**
 * An object as one line of JSON: bytes in hex (under a name that ends in `Base64`, in base 64), big
 * integers as text, dates in ISO 8601, maps as objects, what is undefined left out.
 */
export function toJson(record: object): string {
  return JSON.stringify(plain(record, ""));
}

function plain(value: unknown, name: string): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) {
    return name.endsWith("Base64") ? toBase64(value) : toHex(value);
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map((element) => plain(element, name));
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, member]) => [key, plain(member, String(key))]));
}
