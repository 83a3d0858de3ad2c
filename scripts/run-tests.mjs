// Runs the compiled tests with Node's own runner; `--soak` runs the long ones with their full
// counts, `--smoke` those of the installed package, which KATZ_RUNTIME runs (a name, see
// scripts/runtimes). A file that holds no test, or too few tests in all, is a failure: it must not
// read as passed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const soak = process.argv.includes("--soak");
const smoke = process.argv.includes("--smoke");
const LEAST_TESTS = soak ? 7 : smoke ? 8 : 2400;
const ending = soak ? ".soak.js" : smoke ? ".smoke.js" : ".test.js";

const only = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const files = readdirSync("dist/test", { recursive: true })
  .map((name) => join("dist/test", String(name)))
  .filter((name) => name.endsWith(ending))
  .filter((name) => only.length === 0 || only.some((part) => name.includes(part)))
  .sort();

const folder = mkdtempSync(join(tmpdir(), "katz-tests-"));
const counts = join(folder, "counts.json");
const result = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--import=./scripts/seed.mjs",
    "--test",
    `--test-concurrency=${soak ? 1 : 2}`,
    "--test-reporter=./scripts/count-reporter.mjs",
    `--test-reporter-destination=${counts}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    ...files,
  ],
  { stdio: "inherit", env: { ...process.env, ...(soak ? { KATZ_SOAK: "1" } : {}) } },
);
const { tests, filesWithTests } = JSON.parse(readFileSync(counts, "utf8"));
rmSync(folder, { recursive: true });

// Source maps make the runner name the sources.
const sourceOf = (file) => file.replace(/^dist\W/, "").replace(/\.js$/, ".ts");
const empty = files.filter(
  (file) => !filesWithTests.some((name) => name.endsWith(file) || name.endsWith(sourceOf(file))),
);
if (empty.length > 0) console.error(`files without a test: ${empty.join(", ")}`);
const tooFew = only.length === 0 && tests < LEAST_TESTS;
if (tooFew) console.error(`at least ${LEAST_TESTS} tests are expected, ${tests} ran`);
process.exitCode = result.status === 0 && (empty.length > 0 || tooFew) ? 1 : (result.status ?? 1);
