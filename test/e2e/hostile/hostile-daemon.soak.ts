import assert from "node:assert/strict";
import { test } from "node:test";
import { attackDaemon } from "./hostile-daemon-run.js";
import { chosenSeed } from "./hostile-frames.js";

test("the daemon still answers after 100,000 hostile frames, and keeps nothing of them", async (t) => {
  const seed = chosenSeed();
  t.diagnostic(`KATZ_SEED=${seed}`);
  const before = process.memoryUsage().rss;
  const { frames, changedMessages, failures, responses, hangUps } = await attackDaemon(
    100_000,
    seed,
  );
  t.diagnostic(
    `${frames} frames, ${changedMessages} changed, ${responses} answers, ${hangUps} hang-ups`,
  );
  assert.deepEqual(failures, [], `KATZ_SEED=${seed}`);
  assert.ok(frames >= 100_000 && changedMessages * 2 >= frames, `${changedMessages} of ${frames}`);
  assert.ok(responses > 1000 && hangUps > 1000, `${responses} answers, ${hangUps} hang-ups`);
  assert.ok(process.memoryUsage().rss - before < 800 * 1024 * 1024);
});
