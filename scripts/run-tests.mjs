// Runs the compiled tests with Node's own runner: all of them, or those whose paths contain one of
// the arguments.
//   --coverage  measures how much of src/ they cover; a result below the floor is a failure
//   --again     runs failed files again, one after the other, because a deadline may pass on a busy
//               machine. A file that fails twice is a failure; one that passes then is named
//   --soak      runs the long tests, with their full counts
//   --smoke     runs the tests of the installed package, on the runtime KATZ_RUNTIME (a name, see
//               scripts/runtimes)
// A file without a test, a test that was not compiled, or no file at all is a failure, so that it
// does not look like a pass. The last line is `N passed, N failed`; KATZ_COUNTS names a file for the
// counts.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";

const FLOOR = "scripts/coverage-floor.json";
/** If more files than this fail at once, it is not an accident. */
const MOST_AGAIN = 12;

const soak = process.argv.includes("--soak");
const coverage = process.argv.includes("--coverage");
const again = process.argv.includes("--again");
const ending = soak ? ".soak" : process.argv.includes("--smoke") ? ".smoke" : ".test";
const only = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));

function testsBelow(folder, extension) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((name) => name.endsWith(ending + extension))
    .filter((name) => only.length === 0 || only.some((part) => name.includes(part)))
    .map((name) => name.slice(0, -extension.length))
    .sort();
}

const files = testsBelow(join("dist", "test"), ".js").map((name) => `${name}.js`);
const problems = [];
const missing = testsBelow("test", ".ts").filter(
  (name) => !files.includes(join("dist", `${name}.js`)),
);
if (missing.length > 0) problems.push(`not compiled: ${missing.join(", ")}`);
if (files.length === 0) problems.push(`no file matches: ${only.join(", ")}`);

/** Runs some compiled tests; returns the counts and how the runner ended. */
function run(some, concurrency) {
  const folder = mkdtempSync(join(tmpdir(), "katz-tests-"));
  const file = join(folder, "counts.json");
  const result = spawnSync(
    process.execPath,
    [
      "--enable-source-maps",
      "--import=./scripts/test-process.mjs",
      "--test",
      ...(coverage ? ["--experimental-test-coverage"] : []),
      `--test-concurrency=${concurrency}`,
      "--test-reporter=./scripts/count-reporter.mjs",
      `--test-reporter-destination=${file}`,
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      ...some,
    ],
    {
      stdio: "inherit",
      // The long tests have no time limit (see scripts/test-process.mjs).
      env: { ...process.env, ...(soak ? { KATZ_SOAK: "1", KATZ_TEST_MINUTES: "0" } : {}) },
    },
  );
  const counts = JSON.parse(readFileSync(file, "utf8"));
  rmSync(folder, { recursive: true });
  return { counts, status: result.status ?? 1 };
}

// With source maps the runner names the sources.
const sourceOf = (file) => file.replace(`dist${sep}`, "").replace(/\.js$/, ".ts");
const isAmong = (file, names) =>
  names.some((name) => name.endsWith(file) || name.endsWith(sourceOf(file)));

let counts = {
  passed: 0,
  failed: 0,
  skipped: 0,
  filesWithTests: [],
  failedFiles: [],
  coverage: null,
};
let status = 0;
if (files.length > 0) ({ counts, status } = run(files, soak ? 1 : 2));

const unsteady = [];
const failing = files.filter((file) => isAmong(file, counts.failedFiles));
// A failure without a known compiled file stays a failure, whatever the second run says.
const known = counts.failedFiles.every((name) => files.some((file) => isAmong(file, [name])));
if (again && known && failing.length > 0 && failing.length <= MOST_AGAIN) {
  console.log(`\nonce more, one after the other: ${failing.join(", ")}`);
  const second = run(failing, 1);
  counts.passed += Math.max(0, counts.failed - second.counts.failed);
  counts.failed = second.counts.failed;
  ({ status } = second);
  unsteady.push(...failing.filter((file) => !isAmong(file, second.counts.failedFiles)));
}
if (unsteady.length > 0) console.log(`passed only the second time: ${unsteady.join(", ")}`);

const empty = files.filter((file) => !isAmong(file, counts.filesWithTests));
if (empty.length > 0) problems.push(`files without a test: ${empty.join(", ")}`);
if (coverage) problems.push(...checkCoverage(counts.coverage));
if (status !== 0 && counts.failed === 0) problems.push(`the test runner ended with ${status}`);

for (const problem of problems) console.error(problem);
const failed = counts.failed + problems.length;
if (process.env.KATZ_COUNTS !== undefined) {
  const { passed, skipped } = counts;
  writeFileSync(process.env.KATZ_COUNTS, JSON.stringify({ passed, failed, skipped }));
}
process.exitCode = failed > 0 || status !== 0 ? 1 : 0;
console.log(`${counts.passed} passed, ${failed} failed`);

/**
 * Prints the measured coverage; returns what fell below the floor. A floor that is exceeded by a
 * point is raised.
 */
function checkCoverage(measured) {
  if (measured === null)
    return [`Node ${process.version} cannot measure the coverage: use the newest Node`];
  console.log(`\ncoverage of src/ (${measured.files} files)`);
  const floor = JSON.parse(readFileSync(FLOOR, "utf8"));
  const fallen = [];
  let raised = false;
  for (const name of ["lines", "branches", "functions"]) {
    console.log(`  ${name.padEnd(10)} ${measured[name]} % (floor ${floor[name]} %)`);
    // A part of the tests says nothing about the whole.
    if (only.length > 0) continue;
    if (measured[name] < floor[name]) {
      fallen.push(`coverage of ${name} fell to ${measured[name]} %, below ${floor[name]} %`);
    } else if (measured[name] >= floor[name] + 1) {
      floor[name] = Math.floor(measured[name] * 2) / 2;
      raised = true;
    }
  }
  for (const { path, lines } of measured.least) console.log(`  ${lines.toFixed(1)} % ${path}`);
  if (raised) {
    writeFileSync(FLOOR, `${JSON.stringify(floor, null, 2)}\n`);
    console.log(`${FLOOR} was raised: commit it`);
  }
  return fallen;
}
