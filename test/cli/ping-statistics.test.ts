/** The sums of `katz ping`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { summarize } from "../../src/cli/ping-statistics.js";

test("times are summed up as ping does", () => {
  const { histogram, ...sums } = summarize(5, [1, 2, 3, 6]);
  assert.deepEqual(sums, {
    sent: 5,
    received: 4,
    waiting: 0,
    lossPercent: 20,
    minMs: 1,
    avgMs: 3,
    maxMs: 6,
    mdevMs: 1.871,
  });
  assert.deepEqual(
    histogram.map(({ count }) => count),
    [2, 1, 0, 1],
  );
});

test("without a reply there are no times", () => {
  const none = { waiting: 0, minMs: null, avgMs: null, maxMs: null, mdevMs: null, histogram: [] };
  assert.deepEqual(summarize(2, []), { sent: 2, received: 0, lossPercent: 100, ...none });
  assert.equal(summarize(0, []).lossPercent, 0);
});

test("what is still waited for is no loss", () => {
  const { sent, received, waiting, lossPercent } = summarize(6, [1, 2], 2);
  assert.deepEqual([sent, received, waiting, lossPercent], [6, 2, 2, 50]);
  assert.equal(summarize(1, [], 1).lossPercent, 0);
});

test("every time is in the histogram once, and its ranges touch", () => {
  const times = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(times, (some) => {
      const { histogram, minMs, maxMs, avgMs } = summarize(some.length, some);
      assert.equal(
        histogram.reduce((sum, { count }) => sum + count, 0),
        some.length,
      );
      assert.deepEqual([histogram[0]!.fromMs, histogram.at(-1)!.toMs], [minMs, maxMs]);
      for (const [i, bucket] of histogram.slice(1).entries()) {
        assert.equal(bucket.fromMs, histogram[i]!.toMs);
      }
      assert.ok(minMs! <= avgMs! + 0.001 && avgMs! <= maxMs! + 0.001);
    }),
    { numRuns: 300 },
  );
});
