/** Run by `idle.test.ts`: a hundred readers wait on a network in which nothing happens. */
import { setTimeout as sleep } from "node:timers/promises";
import { TwoClients, newStream } from "./two-clients.js";

const readers = 100;
/** Until caches and pauses have reached what they stay at. */
const settlingMs = 12_000;
const measuredMs = 8000;

function memoryInUse(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

await using both = await TwoClients.start();
const { alice, bob, daemon } = both;
const abort = new AbortController();
const { signal } = abort;
const reads: Promise<unknown>[] = [];
while (reads.length < readers) {
  const { readCap, firstMessageIndex } = await newStream(alice);
  reads.push(bob.read(readCap, firstMessageIndex, { signal }).catch((error: unknown) => error));
}
await sleep(settlingMs);
const before = memoryInUse();
const cpu = process.cpuUsage();
const start = performance.now();
await sleep(measuredMs);
const { user, system } = process.cpuUsage(cpu);
const elapsedMs = performance.now() - start;
process.stdout.write(
  JSON.stringify({
    coreShare: (user + system) / 1000 / elapsedMs,
    growth: memoryInUse() - before,
    waiting: bob.pendingCalls,
    operations: daemon.daemon.load.operations,
  }),
);
abort.abort("measured");
await Promise.all(reads);
