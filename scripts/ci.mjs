// What continuous integration runs: checks, the smoke set on every runtime, consumers' tools with
// the packed tarball, and the whole suite on the oldest supported Node and on the newest. What
// cannot be had here is "not run"; that is a failure for the oldest and the newest Node.
import { spawnSync } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { installRuntimes, runtimes, versionOf } from "./runtimes/runtimes.mjs";

const results = [];

/** Runs one part, says how it ended, and goes on. */
function part(what, args, { node = process.execPath, env = {} } = {}) {
  console.log(`\n=== ${what}`);
  const begun = Date.now();
  const { status } = spawnSync(node, args, {
    stdio: "inherit",
    // Whatever a test starts by name (npm, npx) runs on the same Node.
    env: { ...process.env, ...env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
  });
  const seconds = Math.round((Date.now() - begun) / 1000);
  results.push(`${status === 0 ? "passed" : "FAILED"}   ${what} (${seconds} s)`);
  if (status !== 0) process.exitCode = 1;
  return status === 0;
}

const built = part("install and build", ["scripts/ensure-built.mjs", "--all"]);
if (built) {
  part("lint and format", ["scripts/check.mjs"]);
  const notInstalled = installRuntimes();
  if (notInstalled !== null) console.error(notInstalled);
  const suites = [];
  for (const { name, version, path, use } of runtimes()) {
    if (versionOf(path) !== version) {
      const needed = use === "suite";
      results.push(
        `not run  ${name} ${version}: it cannot be had here${needed ? " (FAILED)" : ""}`,
      );
      if (needed) process.exitCode = 1;
      continue;
    }
    if (use === "suite") suites.unshift({ what: `whole suite, ${name} ${version}`, path });
    if (use === "refused") continue;
    const env = { KATZ_RUNTIME: name };
    part(`smoke set, ${name} ${version}`, ["scripts/run-tests.mjs", "--smoke", "runtimes"], {
      env,
    });
  }
  part("what installs and uses the tarball", ["scripts/run-tests.mjs", "--smoke", "consumers"]);
  // Last, so that its counts close the output.
  for (const { what, path } of suites) {
    part(what, ["scripts/run-tests.mjs"], { node: path });
  }
}
const whole = results.join("\n");
console.log(`\n=== in all\n${whole}`);
