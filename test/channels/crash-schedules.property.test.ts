import { describe, it } from "node:test";
import { runCrashes, runGroupCrashes } from "./crash-runs.js";

describe("channels under crashes", () => {
  it("lose no message, deliver none twice, keep the order", { timeout: 3_600_000 }, async (t) => {
    t.diagnostic(await runCrashes(400));
  });

  it(
    "groups of three lose no message, deliver none twice, keep the order",
    { timeout: 3_600_000 },
    async (t) => {
      t.diagnostic(await runGroupCrashes(20));
    },
  );
});
