/** Runs the real `katz` in a separate process, without this user's configuration. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { KATZ } from "../e2e/katz-process.js";

/** The compiled command. */
export const mainPath = KATZ;

/** The result of a run. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The options of a run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard input, which ends after it; without it there is no input. */
  readonly input?: string | Uint8Array;
  /** Receives standard output so far; may send signals. */
  readonly onStdout?: (soFar: string, child: ChildProcess) => void;
  /** Hears of standard error so far; may send signals. */
  readonly onStderr?: (soFar: string, child: ChildProcess) => void;
}

/** A folder that is removed after the tests of this file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "katz-cli-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An environment without any configuration or daemon's socket. */
export function emptyEnvironment(folder: string): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_RUNTIME_DIR: join(folder, "run"),
  };
}

/** No test waits longer than this for a process, in ms; none that passes comes near. */
const LONGEST_MS = 240_000;

/** Starts `katz` with these arguments. */
export function startKatz(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const child = spawn(process.execPath, [mainPath, ...args], {
    env: { ...emptyEnvironment("/nonexistent"), ...options.env },
    cwd: options.cwd ?? tmpdir(),
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    timeout: LONGEST_MS,
  });
  // A command that takes no input may have ended before it could read any.
  child.stdin?.on("error", () => {}).end(options.input);
  return child;
}

/** Runs `katz` until it exits. */
export async function katz(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = startKatz(args, options);
  let [stdout, stderr] = ["", ""];
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    options.onStdout?.(stdout, child);
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    options.onStderr?.(stderr, child);
  });
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr };
}

/** For `onStdout`: Ctrl-C after the first line. A second signal would end the process at once. */
export function interruptOnce(soFar: string, child: ChildProcess): void {
  if (soFar.includes("\n") && !child.killed) child.kill("SIGINT");
}

/** The lines of a text that ends with a newline. */
export function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** The objects of `--json`, one per line. */
export function recordsOf(text: string): Record<string, unknown>[] {
  return linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>);
}
