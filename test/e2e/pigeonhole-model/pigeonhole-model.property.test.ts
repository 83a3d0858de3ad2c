/**
 * Pigeonhole against its model: a hundred schedules of calls, faults and passing time. `KATZ_SEED`
 * is the first seed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeCounts } from "../seeded-schedules.js";
import { runSchedule, runSchedules } from "./pigeonhole-model.js";
import { drawSchedule, stepKinds } from "./pigeonhole-schedule.js";

test(
  "every call of 100 random schedules ends in an outcome that the model allows",
  { timeout: 300_000 },
  async (t) => {
    const first = Number(process.env["KATZ_SEED"] ?? 1);
    t.diagnostic(`seeds ${first} to ${first + 99}`);
    const counts = await runSchedules(first, 100);
    t.diagnostic(describeCounts(counts));
    for (const kind of stepKinds) assert.ok(counts.has(kind), `${kind} occurred`);
  },
);

test("a schedule runs the same way each time", async () => {
  const once = await runSchedule(drawSchedule(4711));
  const again = await runSchedule(drawSchedule(4711));
  assert.ok(once.log.length > 20);
  assert.deepEqual(again.log, once.log);
});
