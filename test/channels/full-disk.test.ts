import { test } from "node:test";
import { runFullDisk } from "./full-disk-run.js";

test("what a full disk refuses is not sent, and nothing else is lost", async (t) => {
  await runFullDisk(t, 6);
});
