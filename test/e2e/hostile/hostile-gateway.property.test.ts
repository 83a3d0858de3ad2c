import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenSeed } from "./hostile-frames.js";
import { attackLinks } from "./hostile-gateway-run.js";

test("a hostile gateway causes only replies and typed errors in links", async (t) => {
  const seed = chosenSeed();
  t.diagnostic(`KATZ_SEED=${seed}`);
  const { frames, links, replies, failures } = await attackLinks(3000, seed);
  assert.deepEqual(failures, [], `KATZ_SEED=${seed}`);
  assert.ok(frames >= 3000 && links > 50, `${frames} frames, ${links} links`);
  assert.ok(replies > 20, `${replies} replies`);
});
