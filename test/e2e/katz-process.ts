/** `katz` as users run it: a process with its output and its exit code. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The compiled command line; a soak may name another one, installed from the package. */
export const KATZ =
  process.env["KATZ_MAIN"] ?? fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running `katz`; its disposal kills it. */
export class KatzProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** All its output so far. */
  stdout = "";
  stderr = "";
  readonly ended: Promise<Ending>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [KATZ, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      // Only terminals get colours, and the caller's environment must not change that.
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, ...env },
    });
    this.#child.stdout!.on("data", (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.#child.stderr!.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve) =>
      this.#child.on("close", (code, signal) => resolve({ code, signal })),
    );
  }

  /** The first line of standard output; rejects if the process ends without one. */
  async firstLine(): Promise<string> {
    const dead = this.ended.then(() => "dead" as const);
    while (!this.stdout.includes("\n")) {
      const more = new Promise<"more">((resolve) =>
        this.#child.stdout!.once("data", () => resolve("more")),
      );
      if ((await Promise.race([more, dead])) === "dead" && !this.stdout.includes("\n")) {
        throw new Error(`katz ended without a line: ${this.stderr}`);
      }
    }
    return this.stdout.slice(0, this.stdout.indexOf("\n"));
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}
