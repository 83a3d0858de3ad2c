import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLevel } from "../../src/platform/node-level.js";

test("a mark survives reopening, and a closed database leaves its file alone", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "katz-level-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const place = join(folder, "store");
  const database = await openLevel(place);
  const mark = database.mark!;
  assert.equal(mark.read(), 0);
  mark.write(7);
  await database.close();
  await database.open();
  mark.write(8);
  await database.close();
  mark.write(9);
  const again = await openLevel(place);
  assert.equal(again.mark!.read(), 8);
  await again.close();

  rmSync(join(place, "mark"));
  mark.write(10);
  assert.ok(!readdirSync(place).includes("mark"));
});
