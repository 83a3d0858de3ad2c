/**
 * A large file through two client processes whose memory use does not grow; `KATZ_SOAK_MB` sets its
 * size.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { mainPath } from "./katz.js";
import { TransferNetwork, contentsOf, digestOf } from "./transfer-network.js";

const network = new TransferNetwork();
before(() => network.ready());
after(() => network[Symbol.asyncDispose]());

const megabytes = Number(process.env["KATZ_SOAK_MB"] ?? 20);
const MOST_MB = 150;
/** How much memory the second half may take beyond the first. */
const GROWTH_MB = 25;

/** Resident memory of a process in MB; null after it has ended. */
function residentMb(pid: number): number | null {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return kilobytes ? Number(kilobytes[1]) / 1024 : null;
  } catch {
    return null;
  }
}

interface Measured {
  readonly stdout: string;
  readonly seconds: number;
  readonly samples: readonly number[];
}

/** Runs `katz` until it exits and measures its memory ten times a second. */
async function measured(args: readonly string[], input?: string): Promise<Measured> {
  const start = performance.now();
  const child = spawn(process.execPath, [mainPath, ...args], {
    env: { ...process.env, ...network.env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(input);
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const samples: number[] = [];
  const timer = setInterval(() => {
    const mb = residentMb(child.pid!);
    if (mb !== null) samples.push(mb);
  }, 100);
  const [code] = (await once(child, "close")) as [number | null];
  clearInterval(timer);
  assert.equal(code, 0);
  return { stdout, seconds: (performance.now() - start) / 1000, samples };
}

const highest = (samples: readonly number[]): number => Math.max(...samples);

test(`${megabytes} MB arrive, and memory use on both sides stays flat`, async (t) => {
  if (process.platform !== "linux") return t.skip("not run: memory is read from /proc");
  const file = network.newFile(megabytes * 1_000_000);
  const into = network.newFolder();
  const sent = await measured(["send", "--quiet", file]);
  const received = await measured(["receive", "--quiet", "-", "--into", into], sent.stdout);
  assert.equal(digestOf(join(into, "file.bin")), digestOf(file));
  assert.deepEqual(contentsOf(into), ["file.bin"]);
  for (const [side, { samples, seconds }] of Object.entries({ send: sent, receive: received })) {
    const half = samples.length >> 1;
    const [first, second] = [highest(samples.slice(0, half)), highest(samples.slice(half))];
    const text =
      `${side}: ${megabytes} MB in ${seconds.toFixed(1)} s, ` +
      `${((megabytes * 1000) / seconds).toFixed(0)} kB/s; resident memory at most ` +
      `${first.toFixed(0)} MB in the first half, ${second.toFixed(0)} MB in the second`;
    t.diagnostic(text);
    assert.ok(samples.length >= 20, "measured often enough");
    assert.ok(Math.max(first, second) < MOST_MB, text);
    assert.ok(second - first < GROWTH_MB, text);
  }
});
