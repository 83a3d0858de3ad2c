/** Real processes that receive kill -9 at random moments in the middle of traffic. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type MessageBoxIndex,
  type ReadCap,
  ThinClient,
  ThinClientError,
  utf8ToText,
} from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { SeededNumbers } from "./pigeonhole-model/pigeonhole-schedule.js";
import { KatzProcess } from "./katz-process.js";

const WRITERS = 4;
/** The longest time for anything after the last kill, in milliseconds. */
const PATIENCE_MS = 60_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Fails and names `what` if it does not come in time. */
async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: hangs`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A box that was acknowledged, and its content. */
interface Written {
  readonly readCap: ReadCap;
  readonly index: MessageBoxIndex;
  readonly text: string;
}

/** Reads every box, a few at a time. */
async function readAll(client: ThinClient, boxes: readonly Written[]): Promise<void> {
  const left = boxes.values();
  const reader = async (): Promise<void> => {
    for (const { readCap, index, text } of left) {
      const { plaintext } = await inTime(text, client.read(readCap, index));
      assert.equal(utf8ToText(plaintext), text);
    }
  };
  await Promise.all(Array.from({ length: 16 }, reader));
}

/** Endless traffic, and its results. */
class Traffic {
  readonly written: Written[] = [];
  readonly outcomes = new Map<string, number>();
  readonly #client: ThinClient;
  readonly #running: Promise<void>[] = [];
  #over = false;

  constructor(client: ThinClient) {
    this.#client = client;
  }

  start(): void {
    for (let writer = 0; writer < WRITERS; writer++) this.#running.push(this.#write(writer));
    for (let i = 0; i < 4; i++) {
      this.#running.push(this.#repeat("echo", () => this.#echo()));
      this.#running.push(
        this.#repeat("local", async () => void (await this.#client.getDirectoryAuthorities())),
      );
    }
  }

  /** Starts nothing new, and resolves when everything in progress has ended. */
  async end(): Promise<void> {
    this.#over = true;
    await inTime("operations in progress", Promise.all(this.#running));
  }

  async #write(writer: number): Promise<void> {
    const seed = new Uint8Array(32).fill(1 + writer);
    const { writeCap, readCap, firstMessageIndex } = await this.#client.newKeypair(seed);
    let index = firstMessageIndex;
    for (let box = 0; !this.#over; box++) {
      const text = `box ${box} of writer ${writer}`;
      const { nextMessageBoxIndex } = await this.#client.write(writeCap, index, text);
      this.written.push({ readCap, index, text });
      index = nextMessageBoxIndex;
      await pause(50);
    }
  }

  async #echo(): Promise<void> {
    await this.#client.waitUntilOnline();
    const destination = this.#client.getService("echo").toDestination();
    await this.#client.blockingSendMessage("hello", ...destination, { timeoutMs: 10_000 });
  }

  /** Runs repeatedly; a message may be lost with its daemon, but a local request may not. */
  async #repeat(what: string, run: () => Promise<void>): Promise<void> {
    while (!this.#over) {
      let outcome = "done";
      try {
        await run();
      } catch (error) {
        if (what !== "echo" || !(error instanceof ThinClientError)) throw error;
        outcome = error.name;
      }
      const name = `${what} -> ${outcome}`;
      this.outcomes.set(name, (this.outcomes.get(name) ?? 0) + 1);
      await pause(5);
    }
  }
}

/** `katz daemon` with a data directory, which is killed and restarted at the same address. */
class MortalDaemon implements AsyncDisposable {
  readonly #folder: string;
  #katz: KatzProcess | null = null;
  address = "tcp:127.0.0.1:0";

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<MortalDaemon> {
    const daemon = new MortalDaemon(await mkdtemp(join(tmpdir(), "katz-crashes-")));
    await daemon.#run();
    return daemon;
  }

  async killAndRestart(): Promise<void> {
    this.#katz!.kill("SIGKILL");
    await this.#katz!.ended;
    await this.#run();
  }

  async #run(): Promise<void> {
    const data = join(this.#folder, "data");
    const args = ["daemon", "--listen", this.address, "--data", data, "--json"];
    this.#katz = new KatzProcess(args);
    const line = JSON.parse(await this.#katz.firstLine()) as { addresses: string[] };
    this.address = line.addresses[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#katz?.[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Kills a daemon several times in the middle of traffic; nothing may be lost. */
export async function killDaemon(kills: number, t: TestContext): Promise<void> {
  const seed = Number(process.env["KATZ_SEED"] ?? Date.now() % 1_000_000);
  const numbers = new SeededNumbers(seed);
  await using daemon = await MortalDaemon.start();
  await using client = await ThinClient.connect(
    { dial: { tcp: { address: daemon.address.slice("tcp:".length) } } },
    { reconnect: { initialDelayMs: 20, maxDelayMs: 100 } },
  );
  let reconnects = 0;
  client.on("reconnected", () => void reconnects++);
  const last = await client.newKeypair(new Uint8Array(32).fill(99));
  const patient = client.read(last.readCap, last.firstMessageIndex);
  const traffic = new Traffic(client);
  traffic.start();
  for (let kill = 0; kill < kills; kill++) {
    await pause(numbers.below(300));
    // On a slow machine a daemon might not live long enough for any write.
    while (traffic.written.length <= kill) await pause(5);
    await inTime("the restarted daemon", daemon.killAndRestart());
  }
  await traffic.end();
  await client.write(last.writeCap, last.firstMessageIndex, "at last");
  assert.equal(utf8ToText((await inTime("the patient read", patient)).plaintext), "at last");
  assert.equal(client.pendingCalls, 0);
  await readAll(client, traffic.written);
  await inTime("the good-bye", client.stop());
  const outcomes = [...traffic.outcomes].map(([name, times]) => `${name} ${times}`).join(", ");
  t.diagnostic(
    `seed ${seed}: ${kills} kills, ${reconnects} reconnects, ` +
      `${traffic.written.length} writes acknowledged and read, ${outcomes}`,
  );
  assert.ok(traffic.written.length >= kills);
  assert.ok(reconnects > 0 && reconnects <= kills);
}

/** Kills several clients during their sends; the daemon must serve others. */
export async function killClients(kills: number, t: TestContext): Promise<void> {
  const seed = Number(process.env["KATZ_SEED"] ?? Date.now() % 1_000_000);
  const numbers = new SeededNumbers(seed);
  await using daemon = await DevDaemon.start({
    listen: "tcp:127.0.0.1:0",
    timing: { sessionGraceMs: 300 },
  });
  const address = daemon.addresses[0]!.slice("tcp:".length);
  await using client = await ThinClient.connect(daemon.config());
  let acknowledged = 0;
  for (let kill = 0; kill < kills; kill++) {
    const boxes = await writeAndDie(address, kill, numbers.below(200));
    acknowledged += boxes;
    const { readCap, firstMessageIndex } = await client.newKeypair(seedOf(kill));
    let index = firstMessageIndex;
    for (let box = 0; box < boxes; box++) {
      const read = await inTime(`box ${box}`, client.read(readCap, index));
      assert.equal(utf8ToText(read.plaintext), `box ${box}`);
      index = read.nextMessageBoxIndex;
    }
    const destination = client.getService("echo").toDestination();
    await inTime("an echo", client.blockingSendMessage("hello", ...destination));
  }
  // Operations of killed clients end with their sessions.
  const end = Date.now() + PATIENCE_MS;
  while (daemon.daemon.load.sessions > 1 && Date.now() < end) await pause(20);
  const { connections, sessions, operations, awaitedReplies } = daemon.daemon.load;
  assert.deepEqual([connections, sessions, operations, awaitedReplies], [1, 1, 0, 0]);
  assert.ok(acknowledged > 0);
  t.diagnostic(`seed ${seed}: ${kills} kills, ${acknowledged} writes acknowledged and read`);
}

function seedOf(number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(32).fill(number);
}

/**
 * Runs an application until some time after its first write; returns how many writes it had
 * confirmed.
 */
async function writeAndDie(address: string, number: number, afterMs: number): Promise<number> {
  const script = fileURLToPath(new URL("./crashes-child.js", import.meta.url));
  const child = spawn(process.execPath, [script, address, `${number}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let boxes = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    assert.equal(Number(line), boxes);
    if (++boxes === 1) setTimeout(() => child.kill("SIGKILL"), afterMs);
  }
  return boxes;
}
