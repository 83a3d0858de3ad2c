/** Generated pages are up to date, and their examples run. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

function run(...args: readonly string[]): { status: number | null; output: string } {
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    // By default a test runner inside a test runner reports to the outer one.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  });
  return { status: result.status, output: result.stdout + result.stderr };
}

test("generated pages are fresh", () => {
  const { status, output } = run("scripts/generate-docs.mjs", "--check");
  assert.equal(status, 0, output);
});

test("code blocks cut from examples are fresh", () => {
  const { status, output } = run("scripts/cut-examples.mjs", "--check");
  assert.equal(status, 0, output);
});

test("the README's first program runs unchanged as plain JavaScript", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, code] = /<!-- code: examples\/echo\.ts#echo -->\n```ts\n([\s\S]*?)```/.exec(readme)!;
  const { status, output } = run("--input-type=module", "--eval", code!);
  assert.equal(output, "hello mixnet\n");
  assert.equal(status, 0);
});

test("the example of a tested chat bot passes its tests", () => {
  const { status, output } = run("--test", "--test-reporter=tap", "dist/examples/chat-bot.test.js");
  assert.equal(status, 0, output);
  assert.match(output, /^# pass 5$/m);
});
