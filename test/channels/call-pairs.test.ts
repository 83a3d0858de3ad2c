import { test } from "node:test";
import { runCallPairs } from "./call-pairs.js";

test("two calls of channels at once settle, and leave a store that holds what they said", async (t) => {
  // A few of all pairs.
  t.diagnostic(`${await runCallPairs((n) => n % 29 === 0)} pairs`);
});

for (const isStored of [false, true]) {
  const what = isStored ? "stores a change and reports a failure" : "refuses a change";
  test(`the same while the disk ${what}`, async (t) => {
    for (const commit of [1, 2]) {
      const made = await runCallPairs((n) => n % 97 === commit, { commit, isStored });
      t.diagnostic(`${made} pairs`);
    }
  });
}
