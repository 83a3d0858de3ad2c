/**
 * Copy commands: how long 200 kB take, how much memory 5 MB need, and how long the event loop is
 * blocked.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { ThinClient } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import type { BenchLine } from "./report.js";

interface Copied {
  readonly ms: number;
  readonly residentMb: number;
  readonly worstDelayMs: number;
}

async function child(length: number): Promise<void> {
  const listen = `unix:${join(tmpdir(), `katz-copies-${process.pid}.sock`)}`;
  await using daemon = await DevDaemon.start({ listen });
  await using client = await ThinClient.connect(daemon.config());
  const { writeCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));
  const payload = new Uint8Array(randomBytes(length));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let residentMb = 0;
  const watch = setInterval(() => {
    residentMb = Math.max(residentMb, process.memoryUsage().rss / 1e6);
  }, 50);
  delay.enable();
  const start = performance.now();
  await client.copy(payload, [{ writeCap, startIndex: firstMessageIndex }]);
  const ms = performance.now() - start;
  delay.disable();
  clearInterval(watch);
  const worstDelayMs = Math.max(0, delay.max / 1e6 - 1);
  console.log(JSON.stringify({ ms, residentMb, worstDelayMs } satisfies Copied));
}

function copied(length: number): Copied {
  const result = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), "--child", String(length)],
    { encoding: "utf8", timeout: 300_000 },
  );
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as Copied;
}

/** Runs each copy in a fresh process. */
export function benchCopies(): BenchLine[] {
  const small = copied(200_000);
  const large = copied(5_000_000);
  return [
    { name: "copy of 200 kB", value: small.ms / 1000, unit: "s", wanted: { atMost: 4 } },
    { name: "copy of 5 MB", value: large.ms / 1000, unit: "s" },
    {
      name: "resident memory during the copy of 5 MB",
      value: large.residentMb,
      unit: "MB",
      wanted: { atMost: 250 },
    },
    {
      name: "worst event-loop delay, copy of 200 kB",
      value: small.worstDelayMs,
      unit: "ms",
      wanted: { atMost: 50 },
    },
    {
      name: "worst event-loop delay, copy of 5 MB",
      value: large.worstDelayMs,
      unit: "ms",
      wanted: { atMost: 50 },
    },
  ];
}

if (process.argv[2] === "--child") await child(Number(process.argv[3]));
