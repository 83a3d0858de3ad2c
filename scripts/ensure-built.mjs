// Installs what is missing and builds what is stale, so that every npm script works from a fresh
// clone. Imports nothing from node_modules, which may not be there yet.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const all = process.argv.includes("--all");

const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const [wantedMajor, wantedMinor] = engines.node.replace(">=", "").split(".").map(Number);
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor)) {
  console.error(
    `Node ${wantedMajor}.${wantedMinor} or newer is needed, this is ${process.versions.node}.`,
  );
  process.exit(1);
}

function run(what, command, args) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (result.status === 0) return;
  console.error(`${what} failed:\n${result.stdout ?? ""}${result.stderr ?? ""}`);
  process.exit(result.status ?? 1);
}

function modified(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

// A folder's own time tells of files that are gone, whose output would go on being found.
function newest(folder, accept) {
  let latest = modified(folder);
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isDirectory() && !accept(entry.name)) continue;
    latest = Math.max(latest, modified(join(entry.parentPath ?? entry.path, entry.name)));
  }
  return latest;
}

// Before TypeScript 5.7 `Uint8Array` was not generic: `Uint8Array<ArrayBuffer>` is an error there,
// and with `skipLibCheck` silently `any`. package.json hands those compilers this copy.
function writeOlderDeclarations() {
  const from = join(root, "dist/src");
  for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
    if (!entry.name.endsWith(".d.ts")) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const older = join(root, "dist/before-typescript-5.7", relative(from, path));
    mkdirSync(dirname(older), { recursive: true });
    const text = readFileSync(path, "utf8").replace(/\n\/\/# sourceMappingURL=.*/, "");
    writeFileSync(older, text.replace(/\bUint8Array<[^<>]*>/g, "Uint8Array"));
  }
}

const installed = modified(join(root, "node_modules/.package-lock.json"));
if (installed < modified(join(root, "package-lock.json"))) {
  console.error("Installing dependencies (once) ...");
  // Within another npm (prepare, in a git dependency or before a pack) its options are in the
  // environment: those that would install nothing, or too little, are taken back. Scripts stay off:
  // no package needs one, and our own would come back here.
  const options = ["--ignore-scripts", "--include=dev", "--dry-run=false", "--global=false"];
  run("npm ci", "npm", ["ci", ...options, "--no-audit", "--no-fund", "--loglevel=error"]);
}

const folders = all ? ["src", "test", "bench", "examples"] : ["src"];
const sources = Math.max(
  ...folders.map((name) => newest(join(root, name), (file) => file.endsWith(".ts"))),
  ...[
    "tsconfig.base.json",
    "tsconfig.neutral.json",
    "tsconfig.node.json",
    "tsconfig.test.json",
    "tsconfig.browser.json",
  ].map((name) => modified(join(root, name))),
);
// Written when the build is done: the compiler's own files are also written when it finds errors.
const stamp = join(root, "dist", all ? ".built-all" : ".built-src");
if (modified(stamp) < sources) {
  console.error("Building ...");
  rmSync(join(root, "dist"), { recursive: true, force: true });
  const projects = all ? ["tsconfig.test.json", "tsconfig.browser.json"] : ["tsconfig.node.json"];
  run("the build", process.execPath, [
    join("node_modules/typescript-native/bin/tsc"),
    "-b",
    ...projects,
  ]);
  writeOlderDeclarations();
  for (const built of all ? [".built-all", ".built-src"] : [".built-src"]) {
    writeFileSync(join(root, "dist", built), "");
  }
}
