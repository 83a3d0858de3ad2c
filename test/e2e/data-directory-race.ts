/** Processes that compete for one data directory. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The program that takes a directory; also used as a worker. */
export const script = fileURLToPath(new URL("./data-directory-taker.js", import.meta.url));
/** Its message when it holds the directory. */
export const has = "has it";
/** Its message when another process holds the directory. */
export const refused = /^data directory .* is in use/;

interface Taker {
  readonly process: ChildProcess;
  /** Its next message. */
  readonly says: () => Promise<string>;
  readonly ended: Promise<unknown>;
}

function start(args: readonly string[], around: readonly string[] = []): Taker {
  const [command, ...rest] = [...around, process.execPath, script, ...args];
  const child = spawn(command!, rest, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.on("error", () => {});
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const says = async (): Promise<string> => String((await lines.next()).value);
  return { process: child, says, ended };
}

/** The message of a process that tries to take a directory in use. */
export async function tryToTake(path: string, around: readonly string[] = []): Promise<string> {
  const taker = start([path], around);
  const said = await taker.says();
  await letGo(taker);
  return said;
}

async function letGo({ process, ended }: Taker): Promise<void> {
  process.stdin!.write("go\n");
  await ended;
}

/** Two processes that try at the same moment; returns their messages, and ends them. */
async function race(path: string, end: (taker: Taker) => Promise<void>): Promise<string[]> {
  const takers = [start([path, "when told"]), start([path, "when told"])];
  for (const { says } of takers) assert.equal(await says(), "ready");
  for (const { process } of takers) process.stdin!.write("go\n");
  const said = await Promise.all(takers.map(({ says }) => says()));
  await Promise.all(takers.map(end));
  return said;
}

/**
 * Starts two processes together several times: in the first half on a new directory each time, in
 * the second half on one that a killed process left. Exactly one of them must get it.
 */
export async function raceForDirectories(folder: string, rounds: number): Promise<void> {
  const path = join(folder, "race");
  for (let round = 0; round < rounds; round++) {
    const kill = round >= rounds / 2;
    const own = kill ? path : `${path}${round}`;
    const said = await race(own, async (taker) => {
      if (kill) taker.process.kill("SIGKILL");
      await letGo(taker);
    });
    assert.equal(said.filter((line) => line === has).length, 1, `${round}: ${said.join(", ")}`);
    assert.equal(said.filter((line) => refused.test(line)).length, 1, said.join(", "));
  }
}
