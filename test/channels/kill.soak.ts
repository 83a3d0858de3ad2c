import { test } from "node:test";
import { runKills } from "./kill-run.js";

test("writer and reader survive kill -9 a hundred times", { timeout: 3_600_000 }, async (t) => {
  const messages = await runKills(100, Math.random);
  t.diagnostic(`100 rounds, ${messages} messages compared`);
});

test(
  "writer and reader survive kill -9 together with the network, a hundred times",
  { timeout: 3_600_000 },
  async (t) => {
    const messages = await runKills(100, Math.random, true);
    t.diagnostic(`100 rounds, ${messages} messages compared`);
  },
);
