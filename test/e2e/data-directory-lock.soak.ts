/** Only one process can hold a data directory, however often two start at the same time. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { raceForDirectories } from "./data-directory-race.js";

it("only one of two simultaneous starts gets a data directory, 40 times", async () => {
  const folder = await mkdtemp(join(tmpdir(), "katz-lock-"));
  try {
    await raceForDirectories(folder, 40);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
