/** The packages that npm builds from a clone without a build: a tarball and a git dependency. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { ROOT, manifest } from "../package/packed-package.js";

const { name } = manifest();
let folder: string;
/** A repository with the files of this tree; if this tree is a repository, itself. */
let origin: string;
let clone: string;

function run(command: string, args: readonly string[], cwd: string): string {
  return execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 240_000,
    env: environment(),
  });
}

/** The environment without the variables that npm set for this process. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([key]) => !/^(npm_|NODE_)/.test(key));
  return Object.fromEntries(own);
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), "katz-clone-"));
  clone = join(folder, "clone");
  origin = existsSync(join(ROOT, ".git")) ? ROOT : repositoryOfTree(join(folder, "origin"));
  run("git", ["clone", "--quiet", origin, clone], folder);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Commits the files of a tree that has no history, respecting its ignore rules. */
function repositoryOfTree(at: string): string {
  run("git", ["init", "--quiet", at], folder);
  const git = (...args: readonly string[]): string =>
    run("git", [`--git-dir=${join(at, ".git")}`, `--work-tree=${ROOT}`, ...args], ROOT);
  git("add", "--all");
  const author = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"];
  git(...author, "commit", "--quiet", "--message", "The tree under test");
  return at;
}

/** A project with a program that imports the package. */
function consumer(label: string): string {
  const project = mkdtempSync(join(folder, `${label}-`));
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const program = `import { ThinClient } from "${name}"; console.log(typeof ThinClient);`;
  writeFileSync(join(project, "program.mjs"), program);
  return project;
}

test("npm pack of a fresh clone creates a package with its code, and pages without dead links", () => {
  run("npm", ["pack", "--silent"], clone);
  const tarball = readdirSync(clone).find((file) => file.endsWith(".tgz"));
  assert.ok(tarball);
  const files = run("tar", ["-tf", tarball], clone).trim().split("\n");
  const packed = new Set(files.map((file) => file.replace(/^package\//, "")));
  assert.ok(packed.has("dist/src/index.js"));
  assert.ok(packed.has("dist/src/index.d.ts"));
  run("tar", ["-xf", tarball, "-C", folder], clone);
  const dead: string[] = [];
  const pages = [...packed].filter((file) => file.endsWith(".md"));
  assert.ok(pages.length > 10, pages.join(", "));
  for (const page of pages) {
    const text = readFileSync(join(folder, "package", page), "utf8").replace(/^```[^]*?^```/gm, "");
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      const target = posix.join(posix.dirname(page), link!);
      const isThere = [...packed].some((file) => file === target || file.startsWith(`${target}/`));
      if (!isThere) dead.push(`${page}: ${link}`);
    }
  }
  assert.deepEqual(dead, []);
  const project = consumer("tarball");
  run("npm", ["install", "--no-audit", "--no-fund", "--silent", join(clone, tarball)], project);
  assert.equal(run(process.execPath, ["program.mjs"], project), "function\n");
});

test("a git dependency is built while it is installed", () => {
  const project = consumer("git");
  const url = `git+${pathToFileURL(origin).href.replace(/\/$/, "")}`;
  run("npm", ["install", "--no-audit", "--no-fund", "--silent", url], project);
  assert.equal(run(process.execPath, ["program.mjs"], project), "function\n");
});
