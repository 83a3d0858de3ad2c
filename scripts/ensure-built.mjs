// Installs what is missing and builds what is out of date, so that every npm script works from a
// fresh clone. `--all` also builds the tests, benches and examples; `--packed` gives the package
// the form that npm packs. The compiler is incremental: dist/ is kept, and only code that a change
// affects is compiled. It imports nothing from node_modules, which may not exist yet.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildConsole } from "./build-console.mjs";
import { preparePackage, removeOrphans, sourceFolders } from "./finish-build.mjs";

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

// A folder's own time shows that files were deleted, whose outputs must be deleted too.
function newest(folder, accept) {
  let latest = modified(folder);
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isDirectory() && !accept(entry.name)) continue;
    latest = Math.max(latest, modified(join(entry.parentPath ?? entry.path, entry.name)));
  }
  return latest;
}

const installed = modified(join(root, "node_modules/.package-lock.json"));
if (installed < modified(join(root, "package-lock.json"))) {
  console.error("Installing dependencies (once) ...");
  // Within another npm (prepare, in a git dependency or before a pack) its options are in the
  // environment. Options that would install too little are reset. Scripts are off, because no
  // package needs one, and our own would start this again.
  const options = ["--ignore-scripts", "--include=dev", "--dry-run=false", "--global=false"];
  run("npm ci", "npm", ["ci", ...options, "--no-audit", "--no-fund", "--loglevel=error"]);
}

const folders = all ? [...sourceFolders, "playground"] : ["src"];
const inputs = [
  ...folders.map((name) => newest(join(root, name), (file) => file.endsWith(".ts"))),
  newest(join(root, "console"), () => true),
  modified(join(root, "scripts", "build-console.mjs")),
  ...["base", "neutral", "node", "test", "browser", "console", "playground"].map((name) =>
    modified(join(root, `tsconfig.${name}.json`)),
  ),
  modified(join(root, "package-lock.json")),
];
// Written when the build has finished: the compiler's own files are also written if it finds
// errors.
const stamp = join(root, "dist", all ? ".built-all" : ".built-src");
if (modified(stamp) < Math.max(...inputs)) {
  // Taken before the compiler reads the sources: files that change meanwhile are built next time.
  const begun = new Date();
  console.error("Building ...");
  const projects = all
    ? [
        "tsconfig.test.json",
        "tsconfig.browser.json",
        "tsconfig.console.json",
        "tsconfig.playground.json",
      ]
    : ["tsconfig.node.json"];
  run("the build", process.execPath, [
    join("node_modules/typescript-native/bin/tsc"),
    "-b",
    ...projects,
  ]);
  removeOrphans();
  await buildConsole();
  for (const built of all ? [".built-all", ".built-src"] : [".built-src"]) {
    writeFileSync(join(root, "dist", built), "");
    utimesSync(join(root, "dist", built), begun, begun);
  }
}
if (process.argv.includes("--packed")) await preparePackage();
