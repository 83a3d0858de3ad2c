import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { anySchedule, faultOf, runSchedule } from "./crash-schedules.js";
import { anyGroupSchedule, groupFaultOf, runGroupSchedule } from "./group-schedules.js";

const RUNS = process.env["KATZ_SOAK"] === undefined ? 400 : 10_000;

describe("channels under crashes", () => {
  it("lose nothing, double nothing, keep the order", { timeout: 3_600_000 }, async (t) => {
    let kills = 0;
    let messages = 0;
    await fc.assert(
      fc.asyncProperty(anySchedule, async (schedule) => {
        const outcome = await runSchedule(schedule);
        kills += outcome.kills;
        messages += outcome.seen.length;
        assert.equal(faultOf(outcome), null);
      }),
      { numRuns: RUNS },
    );
    t.diagnostic(`${RUNS} schedules, ${kills} kills, ${messages} messages seen`);
    assert.ok(kills > RUNS / 4, String(kills));
  });

  it("nor do groups of three", { timeout: 3_600_000 }, async (t) => {
    const runs = RUNS / 20;
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
    t.diagnostic(`${runs} schedules, ${kills} kills, ${texts} texts seen`);
    assert.ok(kills > runs / 4, String(kills));
  });
});
