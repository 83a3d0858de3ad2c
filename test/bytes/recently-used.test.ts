import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentlyUsed } from "../../src/bytes/recently-used.js";

test("keeps values until more recently used ones displace them", () => {
  const dropped: boolean[] = [];
  const kept = new RecentlyUsed<string, boolean>(2, (value) => dropped.push(value));
  assert.equal(kept.get("a"), undefined);
  kept.set("a", true);
  kept.set("b", false);
  assert.equal(kept.get("a"), true);
  kept.set("c", true);
  assert.equal(kept.get("b"), undefined);
  assert.deepEqual(dropped, [false]);
  assert.equal(kept.get("a"), true);
  assert.equal(kept.get("c"), true);
  kept.set("a", false);
  assert.equal(kept.get("a"), false);
  assert.deepEqual(dropped, [false], "setting a value again displaces nothing");
});

test("accepts keys of any kind, and compares them by identity", () => {
  const [one, same] = [Uint8Array.of(1), Uint8Array.of(1)];
  const kept = new RecentlyUsed<Uint8Array, number>(2);
  kept.set(one, 1);
  assert.equal(kept.get(one), 1);
  assert.equal(kept.get(same), undefined);
});
