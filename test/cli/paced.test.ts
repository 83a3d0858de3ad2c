import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { parseTime } from "../../src/cli/flags.js";
import { paced } from "../../src/cli/paced.js";

const signal = new AbortController().signal;

test("a round that takes longer than the interval delays the next one", async () => {
  for (const window of [1, 3]) {
    let [running, most, done] = [0, 0, 0];
    await paced({ count: 12, intervalMs: 1, window, signal }, async () => {
      most = Math.max(most, ++running);
      await sleep(20);
      running--;
      done++;
    });
    assert.deepEqual([most, done, running], [window, 12, 0]);
  }
});

test("aborting ends the pause, and waits for a round in progress", async () => {
  const controller = new AbortController();
  let [begun, ended] = [0, 0];
  await paced(
    { count: Infinity, intervalMs: 3_600_000, window: 1, signal: controller.signal },
    async () => {
      begun++;
      controller.abort();
      await sleep(5);
      ended++;
    },
  );
  assert.deepEqual([begun, ended], [1, 1]);
});

test("a time longer than the longest timer is refused", () => {
  assert.equal(parseTime("596h"), 596 * 3_600_000);
  for (const text of ["700h", "597h", "2147483648ms", "999999999999h"]) {
    assert.throws(() => parseTime(text), /must be a time above 0, like .*, and at most 596h/);
  }
});
