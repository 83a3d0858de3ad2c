import { test } from "node:test";
import { runCrashes, runGroupCrashes } from "./crash-runs.js";

test("channels survive 10,000 crash schedules", { timeout: 3_600_000 }, async (t) => {
  t.diagnostic(await runCrashes(10_000));
});

test("groups of three survive 500 crash schedules", { timeout: 3_600_000 }, async (t) => {
  t.diagnostic(await runGroupCrashes(500));
});
