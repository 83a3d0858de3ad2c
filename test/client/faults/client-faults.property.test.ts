/** The client against its model: 200 schedules of faults, each with a hundred calls at one time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSummary, runSchedule, runSchedules } from "./client-faults.js";
import { callKinds, drawSchedule, stepKinds } from "./client-faults-schedule.js";

test("every call of 200 fault schedules ends in an outcome that the model allows", async (t) => {
  const first = Number(process.env["KATZ_SEED"] ?? 1);
  const summary = await runSchedules(first, 200);
  t.diagnostic(`seeds from ${first} on: ${describeSummary(summary)}`);
  assert.equal(summary.schedules, 200);
  assert.ok(summary.leastWaiting >= 100, "each schedule has a hundred calls at one time");
  for (const kind of [...stepKinds, ...callKinds]) {
    assert.ok(kind === "call" || summary.counts.has(kind), `${kind} occurred`);
  }
});

test("a fault schedule runs the same way each time", async () => {
  const once = await runSchedule(drawSchedule(4711));
  const again = await runSchedule(drawSchedule(4711));
  assert.ok(once.log.length > 200);
  assert.deepEqual(again.log, once.log);
});
