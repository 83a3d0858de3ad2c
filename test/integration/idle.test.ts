/** An idle network costs next to nothing, whoever waits; measured in a process of its own. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

interface IdleReport {
  /** Processor time over elapsed time: 1 is one core. */
  readonly coreShare: number;
  /** How much larger the heap and what lies beside it is after than before, in bytes. */
  readonly growth: number;
  readonly waiting: number;
  readonly operations: number;
}

test("a hundred waiting readers take less than 5 % of a core, and no more and more memory", async (t) => {
  const script = fileURLToPath(new URL("./idle-network.js", import.meta.url));
  const child = spawn(process.execPath, ["--expose-gc", "--enable-source-maps", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number | null];
  assert.equal(code, 0);
  const report = JSON.parse(output) as IdleReport;
  t.diagnostic(output.trim());
  assert.equal(report.waiting, 100);
  assert.equal(report.operations, 100);
  assert.ok(report.coreShare < 0.05, `${(report.coreShare * 100).toFixed(1)} % of a core`);
  assert.ok(report.growth < 2 * 1024 * 1024, `${report.growth} bytes more`);
});
