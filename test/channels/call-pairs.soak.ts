import { test } from "node:test";
import { runCallPairs } from "./call-pairs.js";

test("any two calls of channels at once settle, and leave a sound store", async (t) => {
  t.diagnostic(`${await runCallPairs(() => true)} pairs`);
});
