import { test } from "node:test";
import { runCallPairs } from "./call-pairs.js";

test("two calls of channels at once settle, and leave a store that holds what they said", async (t) => {
  // A seventeenth of all pairs.
  t.diagnostic(`${await runCallPairs((n) => n % 17 === 0)} pairs`);
});
