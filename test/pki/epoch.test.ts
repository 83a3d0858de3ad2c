import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DEFAULT_EPOCH_MS,
  REPLICA_EPOCH_MS,
  epochAt,
  epochLengthOf,
  epochStart,
  meanIntervalMs,
  replicaEpoch,
} from "../../src/pki/epoch.js";

const replicaEpochAt = (ms: number): number => epochAt(ms, REPLICA_EPOCH_MS).epoch;

test("replica epochs change on Thursdays at midnight UTC", () => {
  assert.equal(replicaEpochAt(Date.UTC(2017, 5, 1)), 0);
  assert.equal(replicaEpochAt(Date.UTC(2017, 5, 8) - 1), 0);
  assert.equal(replicaEpochAt(Date.UTC(2017, 5, 8)), 1);
  const start = epochStart(476, REPLICA_EPOCH_MS);
  assert.equal(new Date(start).getUTCDay(), 4);
  assert.equal(replicaEpochAt(start), 476);
  assert.equal(replicaEpochAt(start - 1), 475);
  assert.throws(() => replicaEpochAt(Date.UTC(2017, 4, 31)), RangeError);
  assert.throws(() => replicaEpochAt(NaN), RangeError);
  assert.equal(replicaEpoch(504, 1_200_000), 1);
});

test("a document's number and the time give the epoch length", () => {
  const now = Date.UTC(2026, 10, 28, 21, 17, 3);
  for (const seconds of [1, 2.5, 30, 60, 90, 120, 600, 1200, 3600, 7200, 10_800]) {
    const { epoch } = epochAt(now, seconds * 1000);
    // The current epoch, the previous one, which daemons hand out for long, and the next one.
    for (const off of [-1, 0, 1]) {
      assert.equal(epochLengthOf(epoch + off, now), seconds * 1000, `${seconds} s, ${off}`);
    }
  }
  // A network of another count, a wrong clock, epochs that are too short, and none at all.
  for (const epoch of [0, 1, 2, 20, 1e12, epochAt(now, 1_200_100).epoch, epochAt(now, 500).epoch]) {
    assert.equal(epochLengthOf(epoch, now), null, String(epoch));
  }
  assert.equal(epochLengthOf(1000, 0), null);
});

test("a document that is a few epochs old does not change the epoch length", () => {
  const now = Date.UTC(2026, 10, 28, 12, 34, 56, 789);
  const { epoch } = epochAt(now, DEFAULT_EPOCH_MS);
  for (let off = 2; off < 80; off++) assert.equal(epochLengthOf(epoch - off, now), null, `${off}`);
});

test("the mean interval of a rate is cut to whole milliseconds", () => {
  for (const [rate, ms] of [
    [0.0006, 1666],
    [1, 1],
    [1.5, 0],
    [0, 0],
    [-1, 0],
    [Number.NaN, 0],
  ] as const) {
    assert.equal(meanIntervalMs(rate), ms, String(rate));
  }
});
