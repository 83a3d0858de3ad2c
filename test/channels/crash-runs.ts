/** Runs of many crash schedules; a failing schedule is shortened. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { anySchedule, faultOf, runSchedule } from "./crash-schedules.js";
import { anyGroupSchedule, groupFaultOf, runGroupSchedule } from "./group-schedules.js";

/** Runs schedules of one writer and one reader. @returns what happened in them, for people. */
export async function runCrashes(runs: number): Promise<string> {
  let kills = 0;
  let messages = 0;
  await fc.assert(
    fc.asyncProperty(anySchedule, async (schedule) => {
      const outcome = await runSchedule(schedule);
      kills += outcome.kills;
      messages += outcome.seen.length;
      assert.equal(faultOf(outcome), null);
    }),
    { numRuns: runs },
  );
  assert.ok(kills > runs / 4, String(kills));
  return `${runs} schedules, ${kills} kills, ${messages} messages seen`;
}

/** Runs schedules of a group of three. @returns what happened in them, for people. */
export async function runGroupCrashes(runs: number): Promise<string> {
  let kills = 0;
  let texts = 0;
  await fc.assert(
    fc.asyncProperty(anyGroupSchedule, async (schedule) => {
      const outcome = await runGroupSchedule(schedule);
      kills += outcome.kills;
      for (const seen of outcome.seen) texts += seen.length;
      assert.equal(groupFaultOf(outcome), null);
    }),
    { numRuns: runs },
  );
  assert.ok(kills > runs / 4, String(kills));
  return `${runs} schedules, ${kills} kills, ${texts} texts seen`;
}
