/** Pigeonhole against its model, without a time limit. `KATZ_SEED` is the first seed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeCounts } from "../seeded-schedules.js";
import { runSchedules } from "./pigeonhole-model.js";

test(
  "every call of 2,000 random schedules ends in an outcome that the model allows",
  { timeout: 7_200_000 },
  async (t) => {
    const first = Number(process.env["KATZ_SEED"] ?? 100_000);
    t.diagnostic(`seeds ${first} to ${first + 1999}`);
    const counts = await runSchedules(first, 2000);
    assert.ok(counts.size > 0);
    t.diagnostic(describeCounts(counts));
  },
);
