import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenSeed } from "./hostile-frames.js";
import { attackPort } from "./hostile-port-run.js";

test("100,000 frames of hostile clients affect only themselves", async (t) => {
  const seed = chosenSeed();
  t.diagnostic(`KATZ_SEED=${seed}`);
  const before = process.memoryUsage().rss;
  const { frames, links, replies, clients, failures } = await attackPort(100_000, seed);
  assert.deepEqual(failures, [], `KATZ_SEED=${seed}`);
  assert.ok(frames >= 100_000);
  assert.equal(replies, links);
  assert.equal(clients, 1);
  assert.ok(process.memoryUsage().rss - before < 400 * 1024 * 1024);
});
