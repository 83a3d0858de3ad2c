import assert from "node:assert/strict";
import { test } from "node:test";
import { epochAt } from "katzenpost-thinclient";
import { epochLengthOf } from "../../src/cli/epoch-length.js";

const NOW = Date.UTC(2026, 10, 28, 12, 34, 56, 789);

test("the number of the current or an adjacent epoch determines the epoch length", () => {
  for (const seconds of [1, 2.5, 30, 60, 90, 120, 600, 1200, 3600]) {
    for (const off of [-1, 0, 1]) {
      const { epoch } = epochAt(NOW, seconds * 1000);
      assert.equal(epochLengthOf(epoch + off, NOW), seconds * 1000, `${seconds} s, ${off}`);
    }
  }
});

test("a document that is a few epochs old does not change the epoch length", () => {
  const { epoch } = epochAt(NOW, 1_200_000);
  for (let off = 2; off < 80; off++) assert.equal(epochLengthOf(epoch - off, NOW), null, `${off}`);
  assert.equal(epochLengthOf(0, NOW), null);
});
