/**
 * Only one process can hold a data directory, whichever way two try; and a process that dies
 * releases it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { has, raceForDirectories, refused, script, tryToTake } from "./data-directory-race.js";

/** What a worker says next; rejects when it ends without a word. */
function saidBy(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the worker ended with ${code}`)));
  });
}

describe("a data directory", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "katz-lock-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("belongs to only one of two daemons that start together", { timeout: 300_000 }, () =>
    raceForDirectories(folder, 6),
  );

  it("is refused to another PID namespace, to a worker, and under another name", async (t) => {
    const path = join(folder, "held");
    const link = join(folder, "link");
    await using held = await DevDaemon.start({ dataDirectory: path });
    assert.ok(held.isRunning);
    await symlink(path, link);
    await assert.rejects(DevDaemon.start({ dataDirectory: link }), { message: refused });
    for (const name of [path, link]) {
      const worker = new Worker(script, { workerData: name });
      assert.match(String(await saidBy(worker)), refused);
      await worker.terminate();
      // The refusal must not release the holder's lock.
      assert.match(await tryToTake(name), refused);
    }
    const around = ["unshare", "--pid", "--fork", "--mount-proc"];
    if (spawnSync(around[0]!, [...around.slice(1), "true"]).status === 0) {
      assert.match(await tryToTake(path, around), refused);
    } else {
      t.diagnostic("another PID namespace: not run, it takes root and unshare");
    }
  });

  it("is refused to the process of the worker that holds it, and to others", async () => {
    const path = join(folder, "worker");
    const worker = new Worker(script, { workerData: path });
    assert.equal(await saidBy(worker), has);
    await assert.rejects(DevDaemon.start({ dataDirectory: path }), { message: refused });
    assert.match(await tryToTake(path), refused);
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.postMessage("go");
    await ended;
    await (await DevDaemon.start({ dataDirectory: path })).close();
  });
});
