import { test } from "node:test";
import { runFullDisk } from "./full-disk-run.js";

test(
  "a message that a full disk refuses is not sent, 200 times, and no other message is lost",
  { timeout: 3_600_000 },
  async (t) => {
    await runFullDisk(t, 200);
  },
);
