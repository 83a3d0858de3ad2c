/** Every test of the command line, run again with a globally installed `katz`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, manifest } from "./packed-package.js";

/** Fewer passed tests would mean that some were not found. */
const LEAST_TESTS = 140;

function run(
  command: string,
  args: readonly string[],
  { cwd = ROOT, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  const result = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.equal(result.status, 0, `${command} ${args.join(" ")}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/**
 * The tests, in a copy of the build without `katz`, so that a test which ran that one would fail.
 */
function copyTests(folder: string): string[] {
  for (const name of ["node_modules", "docs", "src", "test"]) {
    symlinkSync(join(ROOT, name), join(folder, name));
  }
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  const main = join(ROOT, "dist/src/cli/main.js");
  const filter = (path: string): boolean => path !== main;
  for (const part of ["dist/src", "dist/test"]) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true, filter });
  }
  const cli = join(folder, "dist/test/cli");
  const files = readdirSync(cli).filter((name) => name.endsWith(".test.js"));
  assert.ok(files.length >= 10, `only ${files.length} files of tests`);
  return [...files.map((name) => join(cli, name)), join(folder, "dist/test/e2e/cli.test.js")];
}

test("the globally installed package passes every test of the command line", (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "katz-global-")));
  try {
    const packed = JSON.parse(
      run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]),
    ) as [{ filename: string }];
    const tarball = join(folder, packed[0].filename);
    const prefix = join(folder, "prefix");
    run("npm", ["install", "--global", "--prefix", prefix, "--no-audit", "--no-fund", tarball]);
    const katz = join(prefix, "bin/katz");
    assert.equal(run(katz, ["--version"], { cwd: tmpdir() }), `${manifest().version}\n`);
    const checkout = mkdtempSync(join(folder, "tests-"));
    const files = copyTests(checkout);
    // This runner talks to its child processes with these variables, which must not reach another
    // runner's.
    const env = { KATZ_MAIN: katz, NODE_TEST_CONTEXT: undefined };
    const args = ["--test", "--test-concurrency=2", ...files];
    const output = run(process.execPath, args, { cwd: checkout, env });
    const passed = Number(/^# pass (\d+)$/m.exec(output)?.[1] ?? 0);
    t.diagnostic(`${passed} tests passed with ${katz}`);
    assert.ok(passed >= LEAST_TESTS, `only ${passed} tests passed`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
