// The runtimes that this package is tested on, and how to get them: npm packages that contain the
// binaries, pinned by the lock file beside this one. They are installed into .build/runtimes, by
// `node scripts/runtimes/runtimes.mjs` or by callers of `installRuntimes`.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const folder = resolve(here, "../../.build/runtimes");

/**
 * `use`: "suite" for the whole suite (the oldest supported Node and the newest), "smoke" for the
 * smoke set, "refused" for a Node that must be refused as too old.
 */
const list = [
  { name: "node-18", kind: "node", binary: "bin/node", use: "refused" },
  { name: "node-20", kind: "node", binary: "bin/node", use: "suite" },
  { name: "node-22", kind: "node", binary: "bin/node", use: "smoke" },
  { name: "node-24", kind: "node", binary: "bin/node", use: "smoke" },
  { name: "node-26", kind: "node", binary: "bin/node", use: "suite" },
  { name: "deno", kind: "deno", binary: "deno", use: "smoke" },
  { name: "bun", kind: "bun", binary: "bin/bun", use: "smoke" },
];

/** Every runtime with its `version` and the `path` of its binary, installed or not. */
export function runtimes() {
  const { packages } = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8"));
  return list.map((runtime) => ({
    ...runtime,
    version: packages[`node_modules/${runtime.name}`].version,
    path: join(folder, "node_modules", runtime.name, runtime.binary),
  }));
}

/** Installs them; returns why that failed, or null. Some may still be missing here. */
export function installRuntimes() {
  mkdirSync(folder, { recursive: true });
  for (const file of ["package.json", "package-lock.json", ".npmrc"]) {
    copyFileSync(join(here, file), join(folder, file));
  }
  if (runtimes().every(({ path, version }) => versionOf(path) === version)) return null;
  const { status, stdout, stderr } = spawnSync(
    "npm",
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    { cwd: folder, encoding: "utf8", shell: process.platform === "win32" },
  );
  return status === 0 ? null : `npm ci failed: ${stdout}${stderr}`;
}

/** The version that a binary reports; null if it is missing or does not run. */
export function versionOf(path) {
  if (!existsSync(path)) return null;
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return status === 0 ? (/\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? null) : null;
}

if (resolve(process.argv[1] ?? "") === fileURLToPath(import.meta.url)) {
  const failed = installRuntimes();
  if (failed !== null) console.error(failed);
  for (const { name, version, path } of runtimes()) {
    const found = versionOf(path);
    console.log(`${name} ${version}: ${found === version ? path : "not here"}`);
    if (found !== version) process.exitCode = 1;
  }
}
