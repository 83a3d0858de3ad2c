import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Timing,
  instantTiming,
  pauseBefore,
  slowInstantTiming,
  upstreamTiming,
} from "../../src/mixnet/timing.js";

/** Each wait with the source of its value; "ours" if upstream has no such wait. */
const table: { readonly [Name in keyof Timing]: readonly [Timing[Name], string] } = {
  resendMs: [20_000, "spec/thin-protocol §7.2; spec/mixnet §8.5"],
  composeRetryMs: [1000, "spec/thin-protocol §7.2"],
  copyPollMs: [5000, "spec/thin-protocol §7.3"],
  followUpMs: [{ first: 0, longest: 0 }, "spec/mixnet §8.5: follow-ups leave at the next tick"],
  documentWaitMs: [30_000, "spec/thin-protocol §3.1, step 0"],
  writeDeadlineMs: [60_000, "spec/thin-protocol §1.3"],
  sessionGraceMs: [600_000, "spec/thin-protocol §3.3"],
  broadcastHoldMs: [2000, "ours: upstream lets broadcasts precede the token's answer"],
  plainReplyPerHopMs: [500, "spec/thin-protocol §4.2; spec/mixnet §8.3"],
  courierCacheMs: [300_000, "spec/pigeonhole §9.1, step 2"],
  courierClearUpMs: [1000, "ours: upstream clears up when an envelope comes"],
  courierRedispatchMs: [1000, "ours: upstream dispatches again at once, five times"],
  courierSilenceMs: [30_000, "spec/pigeonhole §9.1, re-dispatch"],
  courierRetryMs: [{ first: 30_000, longest: 480_000 }, "ours: upstream waits for a request"],
  courierMissMs: [30_000, "ours: upstream's couriers cannot know of boxes"],
  copyStepMs: [60_000, "spec/pigeonhole §9.1, copy command"],
  copyBackoffMs: [{ first: 500, longest: 10_000 }, "spec/pigeonhole §9.1, copy command"],
  copyTries: [10, "spec/pigeonhole §9.1, copy command"],
  copyResultMs: [1_800_000, "spec/pigeonhole §9.1; spec/thin-protocol §7.3"],
  proxyMs: [30_000, "spec/pigeonhole §9.2, proxy"],
  replicationRetryMs: [{ first: 5000, longest: 80_000 }, "ours: upstream has a queue, no pause"],
  garbageCollectionMs: [21_600_000, "spec/pigeonhole §9.2, storage key"],
  linkMeanMs: [50, "spec/pigeonhole §5.1"],
};

test("upstream's waits equal those of the protocol pages", () => {
  const values = Object.fromEntries(Object.entries(table).map(([name, [value]]) => [name, value]));
  assert.deepEqual(values, upstreamTiming);
});

test("without mixing only follow-ups wait longer than upstream", () => {
  const numbers = (value: Timing[keyof Timing]): readonly number[] =>
    typeof value === "number" ? [value] : [value.first, value.longest];
  for (const timing of [instantTiming, slowInstantTiming]) {
    assert.deepEqual(Object.keys(timing).sort(), Object.keys(table).sort());
    for (const name of Object.keys(table) as (keyof Timing)[]) {
      // Follow-ups have their own pace here, because no send schedule slows them down; see the
      // table.
      const isOwn = name === "followUpMs";
      if (isOwn || (timing === slowInstantTiming && name === "courierRedispatchMs")) continue;
      for (const [i, ms] of numbers(timing[name]).entries()) {
        assert.ok(ms > 0 && ms <= numbers(upstreamTiming[name])[i]!, name);
      }
    }
  }
});

test("a growing pause doubles up to its longest, however long it continues", () => {
  const pause = { first: 500, longest: 10_000 };
  const pauses = Array.from({ length: 8 }, (_, i) => pauseBefore(pause, i));
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  assert.equal(pauseBefore(pause, 1_000_000), 10_000);
  assert.equal(pauseBefore({ first: 0, longest: 0 }, 1_000_000), 0);
});
