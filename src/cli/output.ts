/** The output of a command: text for people, or with `--json` one object per line for programs. */
import { report } from "./failure.js";
import { toJson } from "./json.js";
import { standardOutput } from "./standard-output.js";
import { Terminal } from "./terminal.js";

/** The output flags. */
export interface OutputFlags {
  /** One JSON object per line on standard output, in place of text. */
  readonly json: boolean;
  /** Results only: no headings, remarks or progress. */
  readonly quiet: boolean;
}

/** An object for `--json`; {@link toJson} says how values are written. */
export type JsonRecord = Readonly<Record<string, unknown>> & { readonly type: string };

/** Writes results to standard output and remarks to standard error. */
export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Standard output as a terminal. */
  readonly terminal = new Terminal(standardOutput);
  readonly #errors = new Terminal(process.stderr);
  #hasStatus = false;

  constructor(flags: OutputFlags) {
    this.json = flags.json;
    this.quiet = flags.quiet;
  }

  /** A result: `text` (one line) for people, `record` for programs. */
  result(text: string, record: JsonRecord): void {
    this.line(text);
    this.record(record);
  }

  /**
   * A line of the result for people; nothing with `--json`. Characters in `keep` are not escaped.
   */
  line(text = "", keep = ""): void {
    if (this.json) return;
    this.clearStatus();
    this.terminal.line(text, keep);
  }

  /** A path as a line of the result; unchanged in a pipe. Nothing with `--json`. */
  path(path: string): void {
    if (this.json) return;
    this.clearStatus();
    this.terminal.exactLine(path);
  }

  /** A decorative line: nothing with `--json` or `--quiet`. */
  heading(text = ""): void {
    if (this.json || this.quiet) return;
    this.clearStatus();
    this.terminal.sentence(text);
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

  /** A problem that does not end the command, on standard error; nothing with `--json`. */
  warning(text: string): void {
    if (this.json) return;
    this.clearStatus();
    this.#errors.sentence(text, "yellow", "katz: ");
  }

  /** Reports on standard error what went wrong; returns the exit code. */
  error(error: unknown): number {
    this.clearStatus();
    return report(this.#errors, error, this);
  }

  /** Width of the live line in characters. */
  get statusWidth(): number {
    return this.#errors.statusWidth;
  }

  /** Replaces the live line on standard error, if it is a terminal and `--quiet` is not given. */
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
