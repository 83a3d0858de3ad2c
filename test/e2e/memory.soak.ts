/** The heap of client and daemon after a million round trips, and after a thousand reconnects. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const GROWTH_LIMIT = 3 * 1024 * 1024;

interface Measured {
  readonly before: number;
  readonly after: number;
  readonly pendingCalls: number;
  readonly load: Readonly<Record<string, number>>;
}

const inMegabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(2);

describe("the heap returns to its size", () => {
  const cases: [what: string, count: number][] = [
    ["round-trips", 1_000_000],
    ["reconnects", 1000],
  ];
  for (const [what, count] of cases) {
    test(`after ${count} ${what}`, (t) => {
      const script = fileURLToPath(new URL("./memory-run.js", import.meta.url));
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ["--expose-gc", script, what, `${count}`],
        { encoding: "utf8" },
      );
      assert.equal(status, 0, stderr);
      const { before, after, pendingCalls, load } = JSON.parse(stdout) as Measured;
      t.diagnostic(`${inMegabytes(before)} MB before, ${inMegabytes(after)} MB after`);
      assert.equal(pendingCalls, 0);
      for (const [what, value] of Object.entries(load)) {
        assert.equal(Array.isArray(value) ? value.length : value, 0, what);
      }
      assert.ok(after - before < GROWTH_LIMIT, `grew by ${inMegabytes(after - before)} MB`);
    });
  }
});
