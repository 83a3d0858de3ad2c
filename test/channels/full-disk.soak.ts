import { test } from "node:test";
import { runFullDisk } from "./full-disk-run.js";

test(
  "what a full disk refuses 200 times is not sent, and nothing else is lost",
  { timeout: 3_600_000 },
  async (t) => {
    await runFullDisk(t, 200);
  },
);
