import { test } from "node:test";
import { runKills } from "./kill-run.js";

test("writer and reader outlive a hundred times kill -9", { timeout: 3_600_000 }, async (t) => {
  const messages = await runKills(100, Math.random);
  t.diagnostic(`100 rounds, ${messages} messages compared`);
});

test("and a hundred times that of the network with them", { timeout: 3_600_000 }, async (t) => {
  const messages = await runKills(100, Math.random, true);
  t.diagnostic(`100 rounds, ${messages} messages compared`);
});
