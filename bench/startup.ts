/** From process start to the first echo, and the memory of an idle network. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ThinClient } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchLine } from "./report.js";

/** The child process's report. */
interface Startup {
  readonly firstEchoMs: number;
  readonly residentMb: number;
}

async function child(): Promise<void> {
  const listen = `unix:${join(tmpdir(), `katz-startup-${process.pid}.sock`)}`;
  await using daemon = await DevDaemon.start({ listen });
  await using client = await ThinClient.connect(daemon.config());
  await client.blockingSendMessage("hello", ...client.getService("echo").toDestination());
  const firstEchoMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const residentMb = process.memoryUsage().rss / 1e6;
  console.log(JSON.stringify({ firstEchoMs, residentMb } satisfies Startup));
}

/** Runs the measurement in fresh processes. */
export function benchStartup(): BenchLine[] {
  const runs = Array.from({ length: 5 }, () => {
    const result = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "--child"], {
      encoding: "utf8",
    });
    if (result.status !== 0) throw new Error(result.stderr);
    return JSON.parse(result.stdout) as Startup;
  });
  const median = (of: (run: Startup) => number): number => runs.map(of).sort((a, b) => a - b)[2]!;
  return [
    {
      name: "process start to first echo reply",
      value: median((run) => run.firstEchoMs),
      unit: "ms",
      wanted: { atMost: 1000 },
    },
    {
      name: "resident memory, idle network",
      value: median((run) => run.residentMb),
      unit: "MB",
      wanted: { atMost: 120 },
    },
  ];
}

if (process.argv.includes("--child")) await child();
