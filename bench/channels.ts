/**
 * Channels: durable sends compared with the bare store, and outgoing messages compared with bare
 * calls.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClassicLevel } from "classic-level";
import { MemoryLevel } from "memory-level";
import { BoxIDNotFoundError, ThinClient, hasCode, randomBytes } from "katzenpost-thinclient";
import { messageBoxCounter, nextMessageBoxIndex } from "katzenpost-thinclient/bacap";
import {
  type ChannelClient,
  type ChannelDatabase,
  openChannels,
} from "katzenpost-thinclient/channels";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { VirtualClock } from "../src/clock/virtual.js";
import { shareOfTicks } from "../test/e2e/share-of-ticks.js";
import { TwoClients } from "../test/e2e/two-clients.js";
import { type BenchLine, pairedRates } from "./report.js";

const MESSAGE = new Uint8Array(1500).fill(7);
const QUEUED = 10_000;
const LONG_RUN = 100_000;
const SMALL = 1000;
const WINDOW = 8;
/** The number of messages that are sent, and then read, at once. */
const BATCH = 500;
const BOX_LENGTH = 1553;

/** A client of a network on which nothing ever arrives; the omitted calls are never made. */
function offline(calls: Partial<ChannelClient> = {}): ChannelClient {
  const never = (signal?: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  return {
    pigeonholeGeometry: { maxPlaintextPayloadLength: BOX_LENGTH },
    write: (_cap, _index, _plaintext, options) => never(options?.signal),
    read: (_cap, _index, options) => never(options?.signal),
    // A rate at which the network does not delay anything.
    pkiDocument: () => ({ lambdaP: 100 }) as ReturnType<ChannelClient["pkiDocument"]>,
    isState: () => false,
    on: () => Object.assign(() => {}, { [Symbol.dispose]: () => {} }),
    closed: never(),
    ...calls,
  } as Partial<ChannelClient> as ChannelClient;
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "katz-bench-channels-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function perSecond(ms: number, step: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < ms) {
    await step();
    count++;
  }
  return (count / (performance.now() - start)) * 1000;
}

/** The records that one `send` stores, as a store hands them to its database. */
async function recordsOfSend(): Promise<{ readonly key: string; readonly value: Uint8Array }[]> {
  const database = new MemoryLevel<string, Uint8Array>() as never as ChannelDatabase;
  let records: { key: string; value: Uint8Array }[] = [];
  const batch = database.batch.bind(database);
  Object.assign(database, {
    batch: (operations: never[], options: never) => {
      records = operations;
      return batch(operations, options);
    },
  });
  const channels = await openChannels(offline(), database);
  await (await channels.create("out")).send(MESSAGE);
  const stored = records;
  await channels.close();
  return stored;
}

/** Sends messages one after the other, each durable before the next. */
async function durableSend(): Promise<BenchLine> {
  const [message, ...others] = await recordsOfSend();
  return inFolder(async (folder) => {
    const channels = await openChannels(offline(), join(folder, "channels"));
    const writer = await channels.create("out");
    const bare = new ClassicLevel<string, Uint8Array>(join(folder, "bare"), {
      valueEncoding: "view",
    });
    const stem = message!.key.slice(0, -16);
    let n = 0;
    const commit = (): Promise<void> =>
      bare.batch(
        [
          { type: "put", key: stem + String(n++).padStart(16, "0"), value: message!.value },
          ...others.map(({ key, value }) => ({ type: "put" as const, key, value })),
        ],
        { sync: true },
      );
    // Many short turns: the disk's speed changes within seconds.
    const [ours, peer] = await pairedRates(
      () => perSecond(250, () => writer.send(MESSAGE)),
      () => perSecond(250, commit),
      16,
    );
    await channels.close();
    await bare.close();
    return {
      name: "durable send",
      value: ours,
      unit: "/s",
      peer: { name: "bare commits of the same records", value: peer },
      wanted: { atLeast: 0.7 },
    };
  });
}

/** Opens channels with a long outbox. */
async function openQueued(): Promise<BenchLine> {
  return inFolder(async (folder) => {
    const store = join(folder, "channels");
    const filled = await openChannels(offline(), store);
    const writer = await filled.create("out");
    await Promise.all(Array.from({ length: QUEUED }, () => writer.send(MESSAGE)));
    await filled.close();
    let best = Infinity;
    for (let round = 0; round < 3; round++) {
      const start = performance.now();
      const channels = await openChannels(offline(), store);
      best = Math.min(best, performance.now() - start);
      await channels.close();
    }
    return {
      name: `opening with ${QUEUED} queued messages`,
      value: best,
      unit: "ms",
      wanted: { atMost: 200 },
    };
  });
}

interface Growth {
  readonly growthMb: number;
}

function memoryInUse(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

/** In a separate process: the memory that 100,000 messages leave, of a writer and a reader. */
async function child(): Promise<void> {
  await inFolder(async (folder) => {
    const plaintext = Uint8Array.of(0x4d, 0, ...MESSAGE.subarray(0, 200));
    let written = -1n;
    const client = offline({
      write: async (_cap, index) => {
        const counter = messageBoxCounter(index);
        if (counter > written) written = counter;
        return { nextMessageBoxIndex: index };
      },
      read: async (_cap, index) => {
        if (messageBoxCounter(index) > written) throw new BoxIDNotFoundError();
        return { plaintext: plaintext.slice(), nextMessageBoxIndex: index };
      },
    });
    await using channels = await openChannels(client, join(folder, "channels"));
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    const messages = reader.messages();
    const some = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += BATCH) {
        await Promise.all(Array.from({ length: BATCH }, () => writer.send(plaintext)));
        for (let i = 0; i < BATCH; i++) await messages.next();
        await reader.deleteRead();
      }
    };
    await some(LONG_RUN / 5);
    const before = memoryInUse();
    await some((LONG_RUN / 5) * 4);
    console.log(JSON.stringify({ growthMb: memoryInUse() - before } satisfies Growth));
  });
}

function flatMemory(): BenchLine {
  const args = ["--expose-gc", fileURLToPath(import.meta.url), "--child"];
  const result = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(result.stderr);
  const { growthMb } = JSON.parse(result.stdout) as Growth;
  return {
    name: `memory that ${LONG_RUN} messages, sent and read, leave`,
    value: growthMb,
    unit: "MB",
    wanted: { atMost: 5 },
  };
}

/** Messages per second through channels, from the first send to the last read. */
async function byChannels(alice: ThinClient, bob: ThinClient): Promise<number> {
  const memory = (): ChannelDatabase => new MemoryLevel<string, Uint8Array>() as never;
  await using ours = await openChannels(alice, memory());
  await using theirs = await openChannels(bob, memory());
  const writer = await ours.create("out");
  const reader = await theirs.import("in", await writer.invitation());
  const start = performance.now();
  for (let i = 0; i < SMALL; i++) void writer.send(`message ${i}`);
  let count = 0;
  for await (const { bytes } of reader) {
    if (bytes.length === 0) throw new Error("a message came back empty");
    if (++count === SMALL) break;
  }
  return SMALL / ((performance.now() - start) / 1000);
}

/**
 * The same with calls of the client: as many boxes at once; the reader asks again for missing ones.
 */
async function byHand(alice: ThinClient, bob: ThinClient): Promise<number> {
  const { writeCap, readCap, firstMessageIndex } = await alice.newKeypair(randomBytes(32));
  const start = performance.now();
  const indices = [firstMessageIndex];
  while (indices.length < SMALL) indices.push(nextMessageBoxIndex(indices.at(-1)!));
  const inWindow = async (each: (i: number) => Promise<unknown>): Promise<void> => {
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < SMALL) await each(next++);
    };
    await Promise.all(Array.from({ length: WINDOW }, one));
  };
  const readOne = async (i: number): Promise<void> => {
    for (;;) {
      try {
        await bob.read(readCap, indices[i]!, { wait: false });
        return;
      } catch (error) {
        if (!hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) throw error;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  await Promise.all([
    inWindow((i) => alice.write(writeCap, indices[i]!, `message ${i}`, { ifExists: "error" })),
    inWindow(readOne),
  ]);
  return SMALL / ((performance.now() - start) / 1000);
}

async function smallMessages(): Promise<BenchLine> {
  const socket = join(tmpdir(), `katz-bench-${process.pid}-channels.sock`);
  await using daemon = await DevDaemon.start({ listen: `unix:${socket}` });
  await using alice = await ThinClient.connect(daemon.config());
  await using bob = await ThinClient.connect(daemon.config());
  const [ours, peer] = await pairedRates(
    () => byChannels(alice, bob),
    () => byHand(alice, bob),
    4,
  );
  return {
    name: `${SMALL} small messages, written and read`,
    value: ours,
    unit: "/s",
    peer: { name: "bare calls", value: peer },
    wanted: { atLeast: 0.9 },
  };
}

/**
 * One packet per second, on the virtual clock: the share of ticks that carry work while there is
 * any.
 */
async function ticks(): Promise<BenchLine> {
  const clock = new VirtualClock();
  await using both = await TwoClients.start({
    clock,
    seed: "channel ticks",
    mixing: "realistic",
    // Its ticks always carry decoys, even if there is work.
    lambdaL: 0,
  });
  const database = new MemoryLevel<string, Uint8Array>() as never as ChannelDatabase;
  const channels = await openChannels(both.alice, database, { clock });
  const writer = await channels.create("out");
  const work = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) await writer.send(`message ${i}`);
    for (const delivery of await writer.outbox()) await delivery.stored;
  };
  const { share } = await shareOfTicks(both.daemon, clock, work, { waitsForDisk: true });
  await clock.runUntil(channels.close());
  return {
    name: "100 queued messages at a packet a second: ticks that carry them",
    value: share * 100,
    unit: "%",
    wanted: { atLeast: 95 },
  };
}

/** Runs the measurements. */
export async function benchChannels(): Promise<BenchLine[]> {
  const lines = [await durableSend(), await openQueued(), flatMemory()];
  lines.push(await smallMessages(), await ticks());
  return lines;
}

if (process.argv[2] === "--child") await child();
