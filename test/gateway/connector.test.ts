import assert from "node:assert/strict";
import { test } from "node:test";
import { DialPauses } from "../../src/gateway/connector.js";

test("pauses between dials grow to two minutes, and are short after contact with a gateway", () => {
  const pauses = new DialPauses();
  const row = Array.from({ length: 11 }, () => pauses.next());
  assert.deepEqual(
    row,
    [0, 15, 30, 45, 60, 75, 90, 105, 120, 120, 120].map((s) => s * 1000),
  );
  pauses.reset();
  assert.deepEqual([pauses.next(), pauses.next()], [2000, 17_000]);
});
