import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenSeed } from "./hostile-frames.js";
import { attackLinks } from "./hostile-gateway-run.js";

test("100,000 frames of a hostile gateway cause only replies and typed errors in links", async (t) => {
  const seed = chosenSeed();
  t.diagnostic(`KATZ_SEED=${seed}`);
  const before = process.memoryUsage().rss;
  const { frames, failures } = await attackLinks(100_000, seed);
  assert.deepEqual(failures, [], `KATZ_SEED=${seed}`);
  assert.ok(frames >= 100_000);
  assert.ok(process.memoryUsage().rss - before < 400 * 1024 * 1024);
});
