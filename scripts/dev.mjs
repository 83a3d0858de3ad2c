// Builds, then compiles every change until Ctrl-C. With arguments, it also runs the tests whose
// paths contain one of them, and runs them again after each change of a file that they import.
import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const only = process.argv.slice(2);
const { status } = spawnSync(process.execPath, ["scripts/ensure-built.mjs", "--all"], {
  stdio: "inherit",
});
if (status !== 0) process.exit(status ?? 1);

const compiler = join("node_modules", "typescript-native", "bin", "tsc");
const watches = [
  [
    compiler,
    "-b",
    "--watch",
    "--preserveWatchOutput",
    "tsconfig.test.json",
    "tsconfig.browser.json",
    "tsconfig.console.json",
  ],
];
if (only.length > 0) {
  const files = readdirSync(join("dist", "test"), { recursive: true })
    .map((name) => join("dist", "test", String(name)))
    .filter((name) => name.endsWith(".test.js") && only.some((part) => name.includes(part)));
  if (files.length === 0) {
    console.error(`no test matches: ${only.join(", ")}`);
    process.exit(1);
  }
  watches.push([
    "--enable-source-maps",
    "--import=./scripts/test-process.mjs",
    "--test",
    "--watch",
    ...files,
  ]);
}
const children = watches.map((args) => spawn(process.execPath, args, { stdio: "inherit" }));
for (const child of children) {
  child.on("exit", (code) => {
    for (const other of children) other.kill();
    process.exitCode = code ?? 0;
  });
}
