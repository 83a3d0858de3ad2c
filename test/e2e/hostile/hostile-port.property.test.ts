import assert from "node:assert/strict";
import { test } from "node:test";
import { chosenSeed } from "./hostile-frames.js";
import { attackPort } from "./hostile-port-run.js";

test("hostile clients of a gateway's port affect only themselves", async (t) => {
  const seed = chosenSeed();
  t.diagnostic(`KATZ_SEED=${seed}`);
  const { frames, links, admitted, replies, clients, failures } = await attackPort(2000, seed);
  assert.deepEqual(failures, [], `KATZ_SEED=${seed}`);
  assert.ok(frames >= 2000 && links > 10 && admitted > 5, `${frames} ${links} ${admitted}`);
  assert.equal(replies, links, "an honest client was answered after each of them");
  assert.equal(clients, 1, "only the honest client is left");
});
