// Lint and format: what can be checked without running anything. Types were checked by the build.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

function check(what, name, args) {
  const bin = join("node_modules", ".bin", name);
  const result = spawnSync(bin, args, { encoding: "utf8", shell: process.platform === "win32" });
  if (result.status === 0) {
    console.log(`${what}: ok`);
    return;
  }
  console.error(`${what}: failed\n${result.stdout ?? ""}${result.stderr ?? ""}`);
  process.exitCode = 1;
}

check("lint", "oxlint", []);
check("format", "oxfmt", ["--check", "src", "test", "bench", "examples", "scripts"]);
