import assert from "node:assert/strict";
import { test } from "node:test";
import { attackClients } from "./hostile-client-run.js";
import { chosenSeed } from "./hostile-frames.js";

test("whatever a daemon sends, every call and every start ends in a value or a typed error", async (t) => {
  const seed = chosenSeed();
  t.diagnostic(`KATZ_SEED=${seed}`);
  const before = process.memoryUsage().rss;
  const { frames, changedMessages, failures, values, errors } = await attackClients(10_500, seed);
  assert.deepEqual(failures, [], `KATZ_SEED=${seed}`);
  assert.ok(frames >= 10_500 && changedMessages * 2 >= frames, `${changedMessages} of ${frames}`);
  t.diagnostic(
    `${frames} frames, ${changedMessages} changed messages, ${values} values, ${errors} errors`,
  );
  assert.ok(values > 100 && errors > 1000, `${values} values, ${errors} errors`);
  assert.ok(process.memoryUsage().rss - before < 600 * 1024 * 1024);
});
