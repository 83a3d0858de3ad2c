import { test } from "node:test";
import { runFullDisk } from "./full-disk-run.js";

test("a message that a full disk refuses is not sent, and no other message is lost", async (t) => {
  await runFullDisk(t, 6);
});
