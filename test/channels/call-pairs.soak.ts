import { test } from "node:test";
import { runCallPairs } from "./call-pairs.js";

test("any two calls of channels at once settle, and leave a sound store", async (t) => {
  t.diagnostic(`${await runCallPairs(() => true)} pairs`);
  for (const how of ["refuses", "stores", "dies", "after"] as const) {
    for (const commit of [1, 2, 3]) {
      t.diagnostic(
        `${await runCallPairs(() => true, { commit, how })} pairs, commit ${commit} ${how}`,
      );
    }
  }
});
