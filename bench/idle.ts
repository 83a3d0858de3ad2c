/**
 * The cost of a hundred waiting readers in an otherwise idle network, and of two hundred readers
 * whose boxes arrive; each in a separate process.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type KeypairResult, type MessageBoxIndex, ThinClient } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import type { BenchLine } from "./report.js";

const READERS = 100;
/**
 * How long the reads wait before anything is measured, in ms. With the time for recompiling, their
 * pauses have then grown to about 5 s.
 */
const SETTLING_MS = 12_000;
/**
 * Forced garbage collection also discards compiled code; this is how long it takes to come back, in
 * ms.
 */
const RECOMPILING_MS = 6000;
const MEASURED_MS = 8000;
/** How long the reads have waited when the later measurement begins, in ms: pauses are 15 s then. */
const LATER_MS = 60_000;
/** As long as a pause, so that each reader asks. */
const MEASURED_LATER_MS = 16_000;

interface Idle {
  readonly coreShare: number;
  readonly laterCoreShare: number;
  readonly growthMb: number;
}

function memoryInUse(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

async function coreShareOf(ms: number): Promise<number> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await sleep(ms);
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / 1000 / (performance.now() - start);
}

async function child(): Promise<void> {
  const listen = `unix:${join(tmpdir(), `katz-idle-${process.pid}.sock`)}`;
  await using daemon = await DevDaemon.start({ listen });
  await using client = await ThinClient.connect(daemon.config());
  const abort = new AbortController();
  const reads: Promise<unknown>[] = [];
  const start = performance.now();
  for (let i = 0; i < READERS; i++) {
    const { readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
    const read = client.read(readCap, firstMessageIndex, { signal: abort.signal });
    reads.push(read.catch(() => null));
  }
  await sleep(SETTLING_MS);
  const before = memoryInUse();
  await sleep(RECOMPILING_MS);
  const coreShare = await coreShareOf(MEASURED_MS);
  const growthMb = memoryInUse() - before;
  await sleep(LATER_MS - (performance.now() - start));
  const laterCoreShare = await coreShareOf(MEASURED_LATER_MS);
  console.log(JSON.stringify({ coreShare, laterCoreShare, growthMb } satisfies Idle));
  abort.abort();
  await Promise.all(reads);
}

const BUSY_READERS = 200;
/** The number of boxes written per second, to one reader after the other. */
const BOXES_PER_SECOND = 31;

interface Busy {
  readonly coreShare: number;
  /** The time from the end of a write to the end of the read that waited for it. */
  readonly medianLateMs: number;
}

/** A stream with its reader, which reads box after box, and the time of its newest write. */
class FollowedStream {
  readonly lateMs: number[] = [];
  readonly #keys: KeypairResult;
  #next: MessageBoxIndex;
  #writtenAt = 0;

  constructor(keys: KeypairResult) {
    this.#keys = keys;
    this.#next = keys.firstMessageIndex;
  }

  async follow(reader: ThinClient, signal: AbortSignal): Promise<void> {
    let index = this.#keys.firstMessageIndex;
    for (;;) {
      index = (await reader.read(this.#keys.readCap, index, { signal })).nextMessageBoxIndex;
      this.lateMs.push(performance.now() - this.#writtenAt);
    }
  }

  async write(writer: ThinClient): Promise<void> {
    const { nextMessageBoxIndex } = await writer.write(this.#keys.writeCap, this.#next, "box");
    this.#writtenAt = performance.now();
    this.#next = nextMessageBoxIndex;
  }
}

async function busyChild(): Promise<void> {
  const listen = `unix:${join(tmpdir(), `katz-busy-${process.pid}.sock`)}`;
  await using daemon = await DevDaemon.start({ listen });
  await using reader = await ThinClient.connect(daemon.config());
  await using writer = await ThinClient.connect(daemon.config());
  const abort = new AbortController();
  const streams: FollowedStream[] = [];
  const reads: Promise<unknown>[] = [];
  while (streams.length < BUSY_READERS) {
    const stream = new FollowedStream(await reader.newKeypair(randomBytes(32)));
    streams.push(stream);
    reads.push(stream.follow(reader, abort.signal).catch(() => null));
  }
  const writes: Promise<void>[] = [];
  const roundMs = (BUSY_READERS / BOXES_PER_SECOND) * 1000;
  let cpu = process.cpuUsage();
  const start = performance.now();
  for (let box = 0; box < 3 * BUSY_READERS; box++) {
    // The first round only brings all pauses to their usual length.
    if (box === BUSY_READERS) cpu = process.cpuUsage();
    await sleep(Math.max(0, start + (box * 1000) / BOXES_PER_SECOND - performance.now()));
    writes.push(streams[box % BUSY_READERS]!.write(writer));
  }
  const { user, system } = process.cpuUsage(cpu);
  const coreShare = (user + system) / 1000 / (performance.now() - start - roundMs);
  await Promise.all(writes);
  const late = streams.flatMap(({ lateMs }) => lateMs.slice(1)).toSorted((a, b) => a - b);
  const medianLateMs = late[late.length >> 1] ?? Infinity;
  console.log(JSON.stringify({ coreShare, medianLateMs } satisfies Busy));
  abort.abort();
  await Promise.all(reads);
}

function inChild(mode: string): unknown {
  const args = ["--expose-gc", fileURLToPath(import.meta.url), mode];
  const result = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout);
}

/** Runs the measurements. */
export function benchIdle(): BenchLine[] {
  const { coreShare, laterCoreShare, growthMb } = inChild("--child") as Idle;
  const busy = inChild("--busy-child") as Busy;
  return [
    {
      name: `${READERS} readers that have waited 20 s, share of a core`,
      value: coreShare,
      unit: "",
      wanted: { atMost: 0.05 },
    },
    {
      name: `${READERS} readers that have waited a minute, share of a core`,
      value: laterCoreShare,
      unit: "",
      wanted: { atMost: 0.05 },
    },
    { name: "memory that grows meanwhile", value: growthMb, unit: "MB", wanted: { atMost: 2 } },
    {
      name: `${BUSY_READERS} waiting readers, ${BOXES_PER_SECOND} boxes/s for them, share of a core`,
      value: busy.coreShare,
      unit: "",
      wanted: { atMost: 0.3 },
    },
    {
      name: "how late they read them, median",
      value: busy.medianLateMs,
      unit: "ms",
      wanted: { atMost: 300 },
    },
  ];
}

if (process.argv[2] === "--child") await child();
if (process.argv[2] === "--busy-child") await busyChild();
