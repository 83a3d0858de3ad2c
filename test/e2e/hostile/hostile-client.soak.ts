import assert from "node:assert/strict";
import { test } from "node:test";
import { attackClients } from "./hostile-client-run.js";
import { chosenSeed } from "./hostile-frames.js";

test("100,000 hostile frames cause only values and typed errors in every client", async (t) => {
  const seed = chosenSeed();
  t.diagnostic(`KATZ_SEED=${seed}`);
  const before = process.memoryUsage().rss;
  const { frames, changedMessages, failures } = await attackClients(100_000, seed);
  assert.deepEqual(failures, [], `KATZ_SEED=${seed}`);
  assert.ok(frames >= 100_000 && changedMessages * 2 >= frames);
  assert.ok(process.memoryUsage().rss - before < 800 * 1024 * 1024);
});
