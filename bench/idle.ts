/** The cost of a hundred waiting readers in an otherwise idle network, in a separate process. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ThinClient } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import type { BenchLine } from "./report.js";

const READERS = 100;
/** How long the pauses take to reach their final length, in ms. */
const SETTLING_MS = 12_000;
/**
 * Forced garbage collection also discards compiled code; this is how long it takes to come back, in
 * ms.
 */
const RECOMPILING_MS = 6000;
const MEASURED_MS = 8000;

interface Idle {
  readonly coreShare: number;
  readonly growthMb: number;
}

function memoryInUse(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

async function child(): Promise<void> {
  const listen = `unix:${join(tmpdir(), `katz-idle-${process.pid}.sock`)}`;
  await using daemon = await DevDaemon.start({ listen });
  await using client = await ThinClient.connect(daemon.config());
  const abort = new AbortController();
  const reads: Promise<unknown>[] = [];
  for (let i = 0; i < READERS; i++) {
    const { readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
    const read = client.read(readCap, firstMessageIndex, { signal: abort.signal });
    reads.push(read.catch(() => null));
  }
  await sleep(SETTLING_MS);
  const before = memoryInUse();
  await sleep(RECOMPILING_MS);
  const cpu = process.cpuUsage();
  const start = performance.now();
  await sleep(MEASURED_MS);
  const { user, system } = process.cpuUsage(cpu);
  const coreShare = (user + system) / 1000 / (performance.now() - start);
  console.log(JSON.stringify({ coreShare, growthMb: memoryInUse() - before } satisfies Idle));
  abort.abort();
  await Promise.all(reads);
}

/** Runs the measurement. */
export function benchIdle(): BenchLine[] {
  const args = ["--expose-gc", fileURLToPath(import.meta.url), "--child"];
  const result = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(result.stderr);
  const { coreShare, growthMb } = JSON.parse(result.stdout) as Idle;
  return [
    {
      name: `${READERS} waiting readers, share of a core`,
      value: coreShare,
      unit: "",
      wanted: { atMost: 0.05 },
    },
    { name: "memory that grows meanwhile", value: growthMb, unit: "MB", wanted: { atMost: 2 } },
  ];
}

if (process.argv[2] === "--child") await child();
