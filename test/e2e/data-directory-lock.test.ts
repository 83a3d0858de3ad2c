/** Who has a data directory has it alone, however two meet; and whoever dies lets go of it. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { DevDaemon } from "katzenpost-thinclient/testing";

const script = fileURLToPath(new URL("./data-directory-taker.js", import.meta.url));
const ROUNDS = 40;
const has = "has it";
const refused = /^data directory .* is in use/;

interface Taker {
  readonly process: ChildProcess;
  /** What it says next. */
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

/** What a process says that tries to take a directory which somebody has. */
async function tryToTake(path: string, around: readonly string[] = []): Promise<string> {
  const taker = start([path], around);
  const said = await taker.says();
  await letGo(taker);
  return said;
}

async function letGo({ process, ended }: Taker): Promise<void> {
  process.stdin!.write("go\n");
  await ended;
}

/** Two that try at the same moment; gives what they said, and ends them. */
async function race(path: string, end: (taker: Taker) => Promise<void>): Promise<string[]> {
  const takers = [start([path, "when told"]), start([path, "when told"])];
  for (const { says } of takers) assert.equal(await says(), "ready");
  for (const { process } of takers) process.stdin!.write("go\n");
  const said = await Promise.all(takers.map(({ says }) => says()));
  await Promise.all(takers.map(end));
  return said;
}

describe("a data directory", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "katz-lock-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it(`goes to one of two who start together, ${ROUNDS} times`, { timeout: 300_000 }, async () => {
    const path = join(folder, "race");
    for (let round = 0; round < ROUNDS; round++) {
      // The first half on new directories, the second half on one that a killed process left.
      const kill = round >= ROUNDS / 2;
      const own = kill ? path : `${path}${round}`;
      const said = await race(own, async (taker) => {
        if (kill) taker.process.kill("SIGKILL");
        await letGo(taker);
      });
      assert.equal(said.filter((line) => line === has).length, 1, `${round}: ${said.join(", ")}`);
      assert.equal(said.filter((line) => refused.test(line)).length, 1, said.join(", "));
    }
  });

  it("is not taken by another PID namespace, a worker or under another name", async (t) => {
    const path = join(folder, "held");
    const link = join(folder, "link");
    await using held = await DevDaemon.start({ dataDirectory: path });
    assert.ok(held.isRunning);
    await symlink(path, link);
    await assert.rejects(DevDaemon.start({ dataDirectory: link }), { message: refused });
    for (const name of [path, link]) {
      const worker = new Worker(script, { workerData: name });
      assert.match(
        String(await new Promise((resolve) => worker.once("message", resolve))),
        refused,
      );
      await worker.terminate();
      // The refusal must not have cost the holder its lock.
      assert.match(await tryToTake(name), refused);
    }
    const around = ["unshare", "--pid", "--fork", "--mount-proc"];
    if (spawnSync(around[0]!, [...around.slice(1), "true"]).status === 0) {
      assert.match(await tryToTake(path, around), refused);
    } else {
      t.diagnostic("another PID namespace: not run, it takes root and unshare");
    }
  });

  it("that a worker has is not taken by its own process or another one", async () => {
    const path = join(folder, "worker");
    const worker = new Worker(script, { workerData: path });
    const said = (): Promise<unknown> => new Promise((resolve) => worker.once("message", resolve));
    assert.equal(await said(), has);
    await assert.rejects(DevDaemon.start({ dataDirectory: path }), { message: refused });
    assert.match(await tryToTake(path), refused);
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.postMessage("go");
    await ended;
    await (await DevDaemon.start({ dataDirectory: path })).close();
  });
});
