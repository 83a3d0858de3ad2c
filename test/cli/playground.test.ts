/** `katz playground`: prints the address of the page, serves it, and ends at Ctrl-C. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { KatzProcess } from "../e2e/katz-process.js";
import { ROOT } from "../e2e/package/packed-package.js";
import { assertShape } from "./shapes.js";

test("serves the playground until Ctrl-C", async (t) => {
  if (!existsSync(join(ROOT, "dist/playground"))) {
    t.skip("not run: the playground is built for the package (npm run build)");
    return;
  }
  await using katz = new KatzProcess(["playground", "--json"]);
  const record = JSON.parse(await katz.firstLine()) as Record<string, unknown> & { url: string };
  assertShape(record, "playground");
  const response = await fetch(record.url);
  assert.match(await response.text(), /<title>Katzenpost playground<\/title>/);
  katz.kill("SIGINT");
  const { code } = await katz.ended;
  assert.ok(code === 0 || code === 130, String(code));
});
