import { describe, it } from "node:test";
import { runCrashes, runGroupCrashes } from "./crash-runs.js";

describe("channels under crashes", () => {
  it("lose nothing, double nothing, keep the order", { timeout: 3_600_000 }, async (t) => {
    t.diagnostic(await runCrashes(400));
  });

  it("groups of three lose, double and reorder nothing", { timeout: 3_600_000 }, async (t) => {
    t.diagnostic(await runGroupCrashes(20));
  });
});
