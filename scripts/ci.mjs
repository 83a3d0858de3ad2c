// The continuous integration: checks, the smoke set on every runtime, consumers' tools with the
// packed tarball, and the whole suite on the oldest supported Node and on the newest. A runtime
// that is not available is reported as "not run"; for the oldest and the newest Node that is a
// failure. The last line adds up all tests and checks: `N passed, N failed`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { installRuntimes, runtimes, versionOf } from "./runtimes/runtimes.mjs";

const begun = Date.now();
const folder = mkdtempSync(join(tmpdir(), "katz-ci-"));
const results = [];
const all = { passed: 0, failed: 0, skipped: 0 };

/** Runs one part, reports the result, and continues. */
function part(what, args, { node = process.execPath, env = {} } = {}) {
  console.log(`\n=== ${what}`);
  const start = Date.now();
  const file = join(folder, `${results.length}.json`);
  const { status } = spawnSync(node, args, {
    stdio: "inherit",
    env: {
      ...process.env,
      ...env,
      KATZ_COUNTS: file,
      // Programs that a test starts by name (npm, npx) run on the same Node.
      PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
    },
  });
  const seconds = Math.round((Date.now() - start) / 1000);
  const passed = status === 0;
  // A part without tests counts as one.
  const counts = existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 };
  all.passed += counts.passed;
  all.failed += passed ? counts.failed : Math.max(1, counts.failed);
  all.skipped += counts.skipped;
  results.push(
    `${passed ? "passed" : "FAILED"}   ${what}: ` +
      `${counts.passed} passed, ${counts.failed} failed (${seconds} s)`,
  );
  return passed;
}

const built = part("install and build", ["scripts/ensure-built.mjs", "--all", "--packed"]);
if (built) {
  part("lint, format, unused code, the package", ["scripts/check.mjs"]);
  const notInstalled = installRuntimes();
  if (notInstalled !== null) console.error(notInstalled);
  const suites = [];
  for (const { name, version, path, use } of runtimes()) {
    if (versionOf(path) !== version) {
      const needed = use === "suite";
      results.push(
        `not run  ${name} ${version}: it is not available here${needed ? " (FAILED)" : ""}`,
      );
      if (needed) all.failed++;
      continue;
    }
    if (use === "suite") suites.unshift({ name, version, path });
    if (use === "refused") continue;
    const env = { KATZ_RUNTIME: name };
    part(
      `smoke set, ${name} ${version}`,
      ["scripts/run-tests.mjs", "--again", "--smoke", "runtimes"],
      {
        env,
      },
    );
  }
  part("what installs and uses the tarball", [
    "scripts/run-tests.mjs",
    "--again",
    "--smoke",
    "consumers",
  ]);
  // Last, so that its report is just above the totals.
  for (const { name, version, path } of suites) {
    part(`whole suite, ${name} ${version}`, ["scripts/run-tests.mjs", "--again"], { node: path });
  }
}
rmSync(folder, { recursive: true });
process.exitCode = all.failed > 0 ? 1 : 0;

console.log(`\n=== in all\n${results.join("\n")}\n`);
// The format of Node's own runner, then the same in plain words.
console.log(`ℹ tests ${all.passed + all.failed + all.skipped}`);
console.log(`ℹ pass ${all.passed}\nℹ fail ${all.failed}\nℹ skipped ${all.skipped}`);
console.log(`ℹ duration_ms ${Date.now() - begun}`);
console.log(`${all.passed} passed, ${all.failed} failed`);
