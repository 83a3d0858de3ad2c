import assert from "node:assert/strict";
import { test } from "node:test";
import { REPLICA_EPOCH_MS, epochAt, epochStart, replicaEpoch } from "../../../src/pki/epoch.js";

const replicaEpochAt = (ms: number): number => epochAt(ms, REPLICA_EPOCH_MS).epoch;

test("replica epochs turn over on Thursdays at midnight UTC", () => {
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
