import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBytes } from "../../src/bytes/bytes.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { MAX_REMEMBERED_SURBS, SurbTable } from "../../src/mixnet/surb-table.js";

const surb = { keys: randomBytes(64), isDecoy: false };

test("each reply block opens once, until it expires", async () => {
  const clock = new VirtualClock();
  const table = new SurbTable(clock);
  const [one, two, three] = [randomBytes(16), randomBytes(16), randomBytes(16)];
  table.add(one, surb, 1000);
  table.add(two, surb, 5000);
  assert.equal(table.take(one)?.keys, surb.keys);
  assert.equal(table.take(one), null);
  assert.equal(table.take(three), null);
  await clock.advance(5000);
  assert.equal(table.take(two), null);
  assert.equal(table.size, 0);
  table.add(three, surb, 1000);
  table.forget(three);
  assert.equal(table.take(three), null);
});

test("the oldest reply blocks are forgotten beyond the limit, and all expired ones at the front", async () => {
  const clock = new VirtualClock();
  const table = new SurbTable(clock);
  const names = Array.from({ length: MAX_REMEMBERED_SURBS + 10 }, () => randomBytes(16));
  for (const name of names) table.add(name, surb, 1000);
  assert.equal(table.size, MAX_REMEMBERED_SURBS);
  assert.equal(table.take(names[9]!), null);
  assert.notEqual(table.take(names[10]!), null);
  await clock.advance(1000);
  table.add(names[0]!, surb, 1000);
  assert.equal(table.size, 1);
  table.clear();
  assert.equal(table.size, 0);
});
