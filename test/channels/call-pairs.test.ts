import { test } from "node:test";
import { runCallPairs } from "./call-pairs.js";

test("two calls of channels at once settle, and leave a store that holds what they said", async (t) => {
  // A few of all pairs.
  t.diagnostic(`${await runCallPairs((n) => n % 29 === 0)} pairs`);
});

for (const [how, what] of [
  ["refuses", "the disk refuses a change"],
  ["stores", "the disk stores a change and reports a failure"],
  ["dies", "the process dies before a change"],
  ["after", "the process dies after a change"],
] as const) {
  test(`they leave a sound store also if ${what}`, async (t) => {
    for (const commit of [1, 2]) {
      const made = await runCallPairs((n) => n % 147 === commit, { commit, how });
      t.diagnostic(`${made} pairs`);
    }
  });
}
