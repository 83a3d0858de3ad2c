import { describe, it } from "node:test";
import { runCrashes, runGroupCrashes } from "./crash-runs.js";

describe("channels under crashes", () => {
  it("lose nothing, double nothing, keep the order", { timeout: 3_600_000 }, async (t) => {
    t.diagnostic(await runCrashes(400));
  });

  it("nor do groups of three", { timeout: 3_600_000 }, async (t) => {
    t.diagnostic(await runGroupCrashes(20));
  });
});
