/** The runtime for the smoke tests: the one that `KATZ_RUNTIME` names, or else this Node. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";

/** A runtime of `scripts/runtimes`. */
export interface Runtime {
  readonly name: string;
  readonly kind: "node" | "deno" | "bun";
  readonly use: "suite" | "smoke" | "refused";
  readonly version: string;
  /** Its binary. */
  readonly path: string;
}

const { runtimes } = (await import(
  new URL("../../../../scripts/runtimes/runtimes.mjs", import.meta.url).href
)) as { runtimes: () => readonly Runtime[] };

const named = process.env["KATZ_RUNTIME"];
const thisNode: Runtime = {
  name: "this Node",
  kind: "node",
  use: "smoke",
  version: process.versions.node,
  path: process.execPath,
};

/** The description of this runtime. */
export const runtime = named === undefined ? thisNode : runtimeNamed(named);

/** A runtime of the list. @throws RangeError when it is not on the list. */
export function runtimeNamed(name: string): Runtime {
  const found = runtimes().find((one) => one.name === name);
  if (!found) throw new RangeError(`\`name\` must be one of scripts/runtimes, got ${name}`);
  return found;
}

const BEFORE: Readonly<Record<Runtime["kind"], readonly string[]>> = {
  node: [],
  deno: ["run", "--allow-all"],
  bun: [],
};

/** No program of the smoke tests may take longer than this, in ms. */
const LONGEST_MS = 300_000;

/** Runs a program until it exits; returns its output. @throws (rejects) Error when it fails. */
export async function run(
  program: string,
  args: readonly string[],
  cwd: string,
  on: Runtime = runtime,
): Promise<string> {
  const { stdout } = await promisify(execFile)(on.path, [...BEFORE[on.kind], program, ...args], {
    cwd,
    timeout: LONGEST_MS,
    env: environment(),
  });
  return stdout;
}

/** Runs the tests of a compiled file with the runtime's own runner. */
export async function runTests(file: string, cwd: string): Promise<string> {
  const args = { node: ["--test"], deno: ["test", "--allow-all"], bun: ["test"] }[runtime.kind];
  const { stdout, stderr } = await promisify(execFile)(runtime.path, [...args, file], {
    cwd,
    timeout: LONGEST_MS,
    env: environment(),
  });
  return stdout + stderr;
}

/**
 * Starts a program that keeps running; returns its first line, and a function that ends it with
 * SIGTERM.
 */
export async function start(
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<{ line: string; stop: () => Promise<void> }> {
  const child = spawn(runtime.path, [...BEFORE[runtime.kind], program, ...args], {
    cwd,
    timeout: LONGEST_MS,
    env: environment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  let output = "";
  const firstLine = new Promise<void>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.includes("\n")) resolve();
    });
  });
  await Promise.race([firstLine, ended]);
  return {
    line: output.split("\n")[0]!,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** The environment without this runner's variables and the user's configuration. */
function environment(): NodeJS.ProcessEnv {
  const nothing = "/nonexistent";
  return {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    XDG_CONFIG_HOME: nothing,
    XDG_RUNTIME_DIR: nothing,
    NO_COLOR: "1",
  };
}
