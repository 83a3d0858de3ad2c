import assert from "node:assert/strict";
import { test } from "node:test";
import {
  EPOCH_ZERO_MS,
  epochAt,
  epochStart,
  meanIntervalMs,
  replicaEpoch,
  samplingCap,
} from "../../src/pki/epoch.js";
import { loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-epochtime");

test("epochs are counted as by the reference", () => {
  assert.equal(EPOCH_ZERO_MS, vectors.unixOfEpochZero * 1000);
  for (const entry of vectors.cases) {
    const periodMs = entry.periodSeconds * 1000;
    const { epoch, elapsedMs, leftMs } = epochAt(entry.unix * 1000, periodMs);
    assert.deepEqual([epoch, elapsedMs, leftMs], [entry.epoch, entry.elapsedMs, entry.tillMs]);
    assert.equal(epochStart(epoch, periodMs) + elapsedMs, entry.unix * 1000);
  }
  assert.equal(vectors.cases.length, 14);
});

test("replica epochs are counted as by the reference", () => {
  for (const entry of vectors.replicaEpochs) {
    assert.equal(replicaEpoch(entry.epoch), entry.replicaEpoch);
  }
  assert.equal(vectors.replicaEpochs.length, 7);
  assert.equal(replicaEpoch(vectors.weekOfEpochs), 1);
  assert.equal(replicaEpoch(vectors.weekOfEpochs - 1), 0);
});

test("samples are capped as by the reference", () => {
  for (const entry of vectors.samplingCaps) {
    assert.equal(samplingCap(entry.lambda), entry.safetyCapMs);
    if (entry.tickerSafetyCapMs !== undefined) {
      const mean = meanIntervalMs(entry.lambda);
      assert.equal(mean, entry.meanMsPassedToTicker_truncated);
      assert.equal(samplingCap(1 / mean), entry.tickerSafetyCapMs);
    }
  }
  assert.equal(vectors.samplingCaps.length, 9);
});
