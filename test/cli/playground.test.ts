/** `katz playground`: prints the address of the page, serves it, and ends at Ctrl-C. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../e2e/package/packed-package.js";
import { mainPath } from "./katz.js";
import { assertShape } from "./shapes.js";

test("serves the playground until Ctrl-C", async (t) => {
  if (!existsSync(join(ROOT, "dist/playground"))) {
    t.skip("not run: the playground is built for the package (npm run build)");
    return;
  }
  const child = spawn(process.execPath, [mainPath, "playground", "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
  const record = JSON.parse(line) as Record<string, unknown> & { url: string };
  assertShape(record, "playground");
  const response = await fetch(record.url);
  assert.match(await response.text(), /<title>Katzenpost playground<\/title>/);
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number];
  assert.ok([0, 130].includes(code), String(code));
});
