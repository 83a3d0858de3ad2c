import assert from "node:assert/strict";
import { test } from "node:test";
import { nextPkiWakeup } from "../../src/gateway/documents.js";
import { loadVectors } from "../reference/load-vectors.js";

test("documents are requested again when the reference would", () => {
  const { nextPKIWakeup: cases, periodSeconds } = loadVectors("mixnet-arq");
  for (const v of cases) {
    const sleepMs = nextPkiWakeup({
      periodMs: periodSeconds * 1000,
      leftMs: v.tillMs,
      haveCurrent: v.haveCurrent,
      haveNext: v.haveNext,
    });
    assert.equal(sleepMs, v.sleepMs, JSON.stringify(v));
  }
  assert.equal(cases.length, 24);
});
