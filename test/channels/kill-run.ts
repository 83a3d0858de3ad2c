/**
 * Rounds of real kill -9 of the writer's and the reader's process, and the conditions that must
 * hold after them.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { KatzProcess } from "../e2e/katz-process.js";
import { messageOf } from "./kill-child.js";

/** A process with one end of the channel; it prints a line for each message. */
export class Child {
  readonly process: ChildProcess;
  output = "";

  constructor(what: string, address: string, folder: string, count: number) {
    const script = fileURLToPath(new URL("./kill-child.js", import.meta.url));
    this.process = spawn(process.execPath, [script, what, address, folder, String(count)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.process.stdout!.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
  }

  /** If the process has ended, by itself or by a signal: a killed process has no exit code. */
  get isOver(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Waits for the first line of output, or the end of the process. */
  async begun(): Promise<void> {
    while (this.output === "" && !this.isOver) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Kills the process `ms` after its first line, after its end, or after 3 s without output. */
  async killAfter(ms: number): Promise<void> {
    const closed = once(this.process, "close");
    // A reader that has read everything prints nothing.
    await Promise.race([this.begun(), new Promise((resolve) => setTimeout(resolve, 3000))]);
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.process.kill("SIGKILL");
    await closed;
  }
}

/** A network in its own process, which keeps its state on disk. */
class KillableNetwork implements AsyncDisposable {
  readonly #folder: string;
  #process: KatzProcess;
  address = "127.0.0.1:0";
  kills = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.#process = this.#start();
  }

  #start(): KatzProcess {
    const listen = `tcp:${this.address}`;
    return new KatzProcess(["daemon", "--json", "--listen", listen, "--data", this.#folder]);
  }

  async ready(): Promise<void> {
    const { addresses } = JSON.parse(await this.#process.firstLine()) as { addresses: string[] };
    this.address = addresses[0]!.replace(/^tcp:/, "");
  }

  /** Kills the network after `ms`, and restarts it on the same port. */
  async killAfter(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#process.kill("SIGKILL");
    await this.#process.ended;
    this.kills++;
    this.#process = this.#start();
    await this.ready();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/**
 * Kills both processes `rounds` times, and the network too if `withNetwork` is true; then lets them
 * finish and compares every byte.
 */
export async function runKills(
  rounds: number,
  random: () => number,
  withNetwork = false,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "katz-kill-"));
  try {
    await using network = new KillableNetwork(join(folder, "network"));
    await network.ready();
    const { address } = network;
    const count = 10 + rounds * 6;
    const linesOf = (name: string): string[] =>
      existsSync(join(folder, name))
        ? readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1)
        : [];
    for (let round = 0; round < rounds; round++) {
      const writer = new Child("writer", address, folder, count);
      const kills = [writer.killAfter(random() * 150)];
      if (existsSync(join(folder, "invitation"))) {
        kills.push(new Child("reader", address, folder, 0).killAfter(random() * 150));
      }
      if (withNetwork) kills.push(network.killAfter(random() * 1000));
      await Promise.all(kills);
    }
    const writer = new Child("writer", address, folder, count);
    const [code] = (await once(writer.process, "close")) as [number | null];
    assert.equal(code, 0);
    const done = linesOf("sent")
      .filter((line) => line.startsWith("done"))
      .map((line) => line.split(" ")[2]!);
    const reader = new Child("reader", address, folder, 0);
    const last = done.at(-1)!;
    while (!linesOf("seen").some((line) => line.startsWith(`${last} `))) {
      assert.ok(!reader.isOver, "the reader ended early");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    reader.process.kill("SIGKILL");
    await once(reader.process, "close");
    const seen = new Map<string, string>();
    let before = -1n;
    for (const line of linesOf("seen")) {
      const [id, gap, ...rest] = line.split(" ");
      assert.equal(gap, "0");
      const text = rest.join(" ");
      // A message that was not acknowledged arrives again with the same ID and the same bytes.
      if (seen.has(id!)) {
        assert.equal(seen.get(id!), text);
        continue;
      }
      assert.ok(BigInt(id!) > before, "in order");
      before = BigInt(id!);
      seen.set(id!, text);
    }
    for (const id of done) assert.ok(seen.has(id), `message ${id} was lost`);
    const numbers = [...seen.values()].map((text) => Number.parseInt(text, 10));
    for (const [i, n] of numbers.entries()) {
      assert.equal([...seen.values()][i], Buffer.from(messageOf(n)).toString("latin1"));
      assert.ok(i === 0 || n > numbers[i - 1]!, "in the order of the sends");
    }
    return numbers.length;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
