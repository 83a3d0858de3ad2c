/**
 * Tools of the package's users, pinned in `scripts/consumers`, in a project with the packed
 * package.
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { PackedProject, ROOT } from "../package/packed-package.js";

const pinned = join(ROOT, "scripts/consumers");
const installed = join(ROOT, ".build/consumers");

/** Whether the pinned tools are there. */
function isInstalled(): boolean {
  const mark = join(installed, "node_modules/.package-lock.json");
  const lock = (folder: string): string => readFileSync(join(folder, "package-lock.json"), "utf8");
  return existsSync(mark) && lock(installed) === lock(pinned);
}

/** Installs the tools from the registry if they are missing. */
function install(): void {
  if (isInstalled()) return;
  mkdirSync(dirname(installed), { recursive: true });
  // Elsewhere first: another file of tests may install them at the same time.
  const own = mkdtempSync(`${installed}-`);
  try {
    for (const name of ["package.json", "package-lock.json", ".npmrc"]) {
      copyFileSync(join(pinned, name), join(own, name));
    }
    execFileSync("npm", ["ci", "--ignore-scripts", "--loglevel=error"], { cwd: own });
    if (isInstalled()) return;
    rmSync(installed, { recursive: true, force: true });
    renameSync(own, installed);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** A project with the packed package and these tools. */
export function projectWith(...tools: readonly string[]): PackedProject {
  install();
  const project = new PackedProject();
  for (const tool of tools) {
    const target = join(project.folder, "node_modules", tool);
    mkdirSync(dirname(target), { recursive: true });
    if (!existsSync(target)) symlinkSync(join(installed, "node_modules", tool), target);
  }
  return project;
}

/**
 * Copies the program of the testing guide and its tests, compiled, with another runner's `test`.
 */
export function copyGuide(project: PackedProject, testFrom: string): void {
  cpSync(join(ROOT, "dist/examples/chat-bot.js"), join(project.folder, "chat-bot.js"));
  const tests = readFileSync(join(ROOT, "dist/examples/chat-bot.test.js"), "utf8");
  const runner = 'import { test } from "node:test";';
  if (!tests.includes(runner)) throw new RangeError(`chat-bot.test.js has no line ${runner}`);
  project.write("chat-bot.test.js", tests.replace(runner, testFrom));
}
