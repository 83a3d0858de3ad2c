/** An old Node gets a clear message. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { PackedProject, manifest } from "../package/packed-package.js";
import { run, runtimeNamed } from "../runtimes/runtime.js";

const { name } = manifest();
const node18 = runtimeNamed("node-18");
const needs = /needs Node 20\.19 or newer, this is 18\./;

test("katz and the library name the required version on Node 18", async (t) => {
  if (!existsSync(node18.path)) {
    t.diagnostic("not run: Node 18 cannot be had here");
    return;
  }
  using project = new PackedProject();
  const katz = `node_modules/${name}/dist/src/cli/main.js`;
  await assert.rejects(run(katz, ["--version"], project.folder, node18), needs);
  project.write("program.mjs", `import "${name}";`);
  await assert.rejects(run("program.mjs", [], project.folder, node18), needs);
});
