/**
 * The cost of a daemon that joined a network and has nothing to do: real Sphinx packets with cover
 * traffic, at the rates of a development network. The daemon has its own process, and the network
 * is in this one.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { JoinedDaemon } from "katzenpost-thinclient/join";
import { DevDaemon } from "katzenpost-thinclient/testing";
import { writeClientConfigFile } from "../src/cli/commands/daemon/write-config.js";
import type { BenchLine } from "./report.js";

/** The time after its document arrived until frequently used code is compiled. */
const SETTLING_MS = 10_000;
const MEASURED_MS = 30_000;

interface Joined {
  readonly coreShare: number;
  readonly rssMb: number;
  readonly packets: number;
}

async function child(config: string): Promise<void> {
  await using joined = await JoinedDaemon.start({ config, listen: [] });
  while (joined.describe().link.documents.length === 0) await sleep(50);
  await sleep(SETTLING_MS);
  const { sent } = joined.describe().link;
  const cpu = process.cpuUsage();
  const start = performance.now();
  await sleep(MEASURED_MS);
  const { user, system } = process.cpuUsage(cpu);
  const coreShare = (user + system) / 1000 / (performance.now() - start);
  const rssMb = process.memoryUsage().rss / 1e6;
  const packets = joined.describe().link.sent - sent;
  console.log(JSON.stringify({ coreShare, rssMb, packets } satisfies Joined));
}

/** Runs the measurement. */
export async function benchJoined(): Promise<BenchLine[]> {
  const folder = await mkdtemp(join(tmpdir(), "katz-joined-"));
  try {
    const file = join(folder, "client.toml");
    await using running = await DevDaemon.start({
      gateway: "tcp:127.0.0.1:0",
      lambdaP: 0.001,
      lambdaL: 0.0005,
    });
    const { network, gateway } = running;
    await writeClientConfigFile(file, {
      geometry: network.geometry.toWire(),
      gateway: gateway!,
      authorities: network.authorities,
      listen: "127.0.0.1:1",
      epochMs: network.epoch().periodMs,
    });
    const toml = await readFile(file, "utf8");
    await writeFile(
      file,
      toml.replace("DisableDecoyTraffic = true", "DisableDecoyTraffic = false"),
    );
    const { coreShare, rssMb, packets } = await measured(file);
    return [
      {
        name: "idle joined daemon, share of a core",
        value: coreShare,
        unit: "",
        wanted: { atMost: 0.03 },
      },
      { name: "its memory (resident)", value: rssMb, unit: "MB", wanted: { atMost: 130 } },
      { name: "packets that it sent meanwhile", value: packets, unit: "" },
    ];
  } finally {
    await rm(folder, { recursive: true });
  }
}

function measured(file: string): Promise<Joined> {
  const args = [fileURLToPath(import.meta.url), "--child", file];
  const daemon = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  daemon.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    daemon.on("error", reject);
    daemon.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(output) as Joined);
      else reject(new Error(`the joined daemon ended with ${code}`));
    });
  });
}

if (process.argv[2] === "--child") await child(process.argv[3]!);
