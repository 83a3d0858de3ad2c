/** The client against its model, without a time limit. `KATZ_SEED` is the first seed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSummary, runSchedules } from "./client-faults.js";

test("every call of 5,000 fault schedules ends in an outcome that the model allows", async (t) => {
  const first = Number(process.env["KATZ_SEED"] ?? 100_000);
  const summary = await runSchedules(first, 5000);
  assert.equal(summary.schedules, 5000);
  t.diagnostic(`seeds from ${first} on: ${describeSummary(summary)}`);
});
