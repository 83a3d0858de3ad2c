import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeWhole } from "../../src/platform/node-small-file.js";

test("files are written where file handles cannot sync, as under Yarn's Plug'n'Play", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "katz-small-file-"));
  t.after(() => rm(folder, { recursive: true }));
  await using handle = await open(folder);
  t.mock.method(Object.getPrototypeOf(handle) as typeof handle, "sync", () => {
    throw new Error("Method not implemented.");
  });
  await writeWhole(join(folder, "mark"), new Uint8Array([1, 2, 3]));
  assert.deepEqual([...(await readFile(join(folder, "mark")))], [1, 2, 3]);
});
