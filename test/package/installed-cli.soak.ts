/** Every test of the command line once more, with the `katz` that a user installs globally. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const tests = fileURLToPath(new URL("../cli", import.meta.url));

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.equal(result.status, 0, `${command} ${args.join(" ")}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

test("the packed package, installed globally, passes every test of the command line", (t) => {
  const prefix = mkdtempSync(join(tmpdir(), "katz-global-"));
  try {
    const packed = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", prefix])) as [
      { filename: string },
    ];
    const tarball = join(prefix, packed[0].filename);
    run("npm", ["install", "--global", "--prefix", prefix, "--no-audit", "--no-fund", tarball]);
    const main = join(prefix, "lib/node_modules/katzenpost-thinclient/dist/src/cli/main.js");
    const files = readdirSync(tests).filter((name) => name.endsWith(".test.js"));
    assert.ok(files.length >= 10, `only ${files.length} files of tests`);
    const paths = files.map((name) => join(tests, name));
    // The variables by which this runner talks to its children must not reach another runner's.
    const env = { KATZ_MAIN: main, NODE_TEST_CONTEXT: undefined };
    const output = run(process.execPath, ["--test", "--test-concurrency=2", ...paths], env);
    const passed = Number(/^# pass (\d+)$/m.exec(output)?.[1] ?? 0);
    t.diagnostic(`${passed} tests passed with ${main}`);
    assert.ok(passed >= 80, `only ${passed} tests passed`);
  } finally {
    rmSync(prefix, { recursive: true, force: true });
  }
});
