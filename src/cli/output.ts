/** What a command prints: text for people, or with `--json` one object a line for programs. */
import { report } from "./failure.js";
import { toJson } from "./json.js";
import { standardOutput } from "./standard-output.js";
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
  /** Standard output, for what it is. */
  readonly terminal = new Terminal(standardOutput);
  readonly #errors = new Terminal(process.stderr);
  #hasStatus = false;

  constructor(flags: OutputFlags) {
    this.json = flags.json;
    this.quiet = flags.quiet;
  }

  /** A result: `text`, which becomes one line, for people, `record` for programs. */
  result(text: string, record: JsonRecord): void {
    this.line(text);
    this.record(record);
  }

  /**
   * A line of the result for people; nothing with `--json`. Characters in `keep` do not change.
   */
  line(text = "", keep = ""): void {
    if (this.json) return;
    this.clearStatus();
    this.terminal.line(text, keep);
  }

  /** A path as a line of the result: in a pipe it is what it is. Nothing with `--json`. */
  path(path: string): void {
    if (this.json) return;
    this.clearStatus();
    this.terminal.exactLine(path);
  }

  /** A line that only decorates: nothing with `--json` or `--quiet`. */
  heading(text = ""): void {
    if (!this.quiet) this.line(text);
  }

  /** A line of JSON; nothing without `--json`. */
  record(record: JsonRecord): void {
    if (this.json) this.terminal.line(toJson(record));
  }

  /** A remark on standard error; nothing with `--json` or `--quiet`. */
  remark(text: string): void {
    if (this.json || this.quiet) return;
    this.clearStatus();
    this.#errors.sentence(text);
  }

  /** Something that went wrong and ends nothing, on standard error; nothing with `--json`. */
  warning(text: string): void {
    if (this.json) return;
    this.clearStatus();
    this.#errors.sentence(text, "yellow", "katz: ");
  }

  /** Says on standard error what went wrong; gives the exit code. */
  error(error: unknown): number {
    this.clearStatus();
    return report(this.#errors, error, this);
  }

  /** Characters of the live line. */
  get statusWidth(): number {
    return this.#errors.statusWidth;
  }

  /** Replaces the live line on standard error, where there is a terminal and somebody looks. */
  status(text: string): void {
    if (this.json || this.quiet) return;
    this.#hasStatus = true;
    this.#errors.status(text);
  }

  /** Removes the live line. */
  clearStatus(): void {
    if (this.#hasStatus) this.#errors.clearStatus();
    this.#hasStatus = false;
  }

  /** `text` in a style of standard output. */
  style(...args: Parameters<Terminal["style"]>): string {
    return this.terminal.style(...args);
  }
}
