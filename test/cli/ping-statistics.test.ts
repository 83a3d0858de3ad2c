/** The statistics of `katz ping`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { PingTimes, summarize } from "../../src/cli/ping-statistics.js";

function timesOf(...all: readonly number[]): PingTimes {
  const times = new PingTimes();
  for (const ms of all) times.add(ms);
  return times;
}

test("summarizes times as ping does", () => {
  const { histogram, ...sums } = summarize(5, timesOf(1, 2, 3, 6));
  assert.deepEqual(sums, {
    sent: 5,
    received: 4,
    waiting: 0,
    unsent: 0,
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

test("reports no times without a reply", () => {
  const none = {
    waiting: 0,
    unsent: 0,
    minMs: null,
    avgMs: null,
    maxMs: null,
    mdevMs: null,
    histogram: [],
  };
  assert.deepEqual(summarize(2, timesOf()), { sent: 2, received: 0, lossPercent: 100, ...none });
  assert.equal(summarize(0, timesOf()).lossPercent, 0);
});

test("does not count a message as lost while its reply may still come", () => {
  const { sent, received, waiting, lossPercent } = summarize(6, timesOf(1, 2), 2);
  assert.deepEqual([sent, received, waiting, lossPercent], [6, 2, 2, 50]);
  assert.equal(summarize(1, timesOf(), 1).lossPercent, 0);
});

test("the histogram contains every time once, and its ranges have no gaps", () => {
  const times = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(times, (some) => {
      const { histogram, minMs, maxMs, avgMs } = summarize(some.length, timesOf(...some));
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

test("summarizes any number of times in bounded memory", () => {
  const times = new PingTimes();
  const all: number[] = [];
  let [seed, kept] = [1, 0];
  for (let i = 0; i < 50_000; i++) {
    // Park and Miller's generator. One in 1000 values is ten times as slow, so the range grows
    // late.
    seed = (seed * 48_271) % 2_147_483_647;
    const ms = 20 + ((seed % 10_007) / 10_007) * (i > 30_000 ? 80 : 40) * (i % 1000 === 0 ? 10 : 1);
    times.add(ms);
    all.push(ms);
    kept = Math.max(kept, times.kept);
  }
  assert.ok(kept <= 4096, `${kept} are kept`);
  const { received, minMs, avgMs, maxMs, mdevMs, histogram } = summarize(all.length, times);
  const [min, max] = [Math.min(...all), Math.max(...all)];
  const avg = all.reduce((sum, ms) => sum + ms, 0) / all.length;
  const mdev = Math.sqrt(all.reduce((sum, ms) => sum + (ms - avg) ** 2, 0) / all.length);
  assert.equal(received, all.length);
  for (const [got, wanted] of [
    [minMs, min],
    [avgMs, avg],
    [maxMs, max],
    [mdevMs, mdev],
  ] as const) {
    assert.ok(Math.abs(got! - wanted) <= 0.001, `${got}, not ${wanted}`);
  }
  assert.equal(
    histogram.reduce((sum, { count }) => sum + count, 0),
    all.length,
    "each is counted once",
  );
  // Checks the counts up to the end of each range, within a 2048th of the whole range.
  const near = (max - min) / 2048 + 0.001;
  let upTo = 0;
  for (const { toMs, count } of histogram) {
    upTo += count;
    const surely = all.filter((ms) => ms < toMs - near).length;
    const perhaps = all.filter((ms) => ms <= toMs + near).length;
    assert.ok(surely <= upTo && upTo <= perhaps, `${surely} <= ${upTo} <= ${perhaps} at ${toMs}`);
  }
});

test("steady times far from zero have a small deviation without rounding errors", () => {
  const { mdevMs } = summarize(3, timesOf(1e9, 1e9 + 1, 1e9 + 2));
  assert.equal(mdevMs, 0.816);
});
