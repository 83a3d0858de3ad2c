import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { filesIn, root, sources, textOf } from "./source-tree.js";

/** Files of more than 400 lines, each with its reason. */
const long: Record<string, string> = {
  "src/errors/errors.ts": "some forty error classes of a few lines each, one table to look through",
  "src/client/calls.ts": "one table of calls; what the daemon has read, and cancels, are apart",
  "src/client/session.ts": "one connection's life; what could be taken out of it has been",
};

test("no source is longer than 400 lines without a reason", () => {
  const tooLong = sources
    .filter((path) => !(path in long))
    .map((path) => [path, textOf(path).split("\n").length - 1] as const)
    .filter(([, lines]) => lines > 400);
  assert.deepEqual(tooLong, []);
  for (const path of Object.keys(long)) assert.ok(sources.includes(path), path);
});

test("every source begins with a comment that says what it is for", () => {
  const without = sources.filter((path) => !/^(#![^\n]*\n)?\/\*\*/.test(textOf(path)));
  assert.deepEqual(without, []);
});

test("sources print nothing, put nothing off, and switch no rule off without a reason", () => {
  const found: string[] = [];
  for (const path of sources) {
    textOf(path)
      .split("\n")
      .forEach((line, i) => {
        const isComment = /^\s*(\/\/|\/?\*)/.test(line);
        const prints = !isComment && /\bconsole\./.test(line) && !path.startsWith("src/cli/");
        const putsOff = /\b(TODO|FIXME|XXX|HACK)\b/.test(line);
        const silences = /oxlint-disable|@ts-(ignore|expect-error|nocheck)/.test(line);
        if (prints || putsOff || (silences && !line.includes(" -- "))) {
          found.push(`${path}:${i + 1}: ${line.trim()}`);
        }
      });
  }
  assert.deepEqual(found, []);
});

const textFile = /\.(ts|mjs|js|json|md|toml|html|css|yml|yaml|txt)$|^\.[a-z]+rc/;
const tracked = ["src", "test", "bench", "examples", "scripts", "docs"]
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) => filesIn(folder))
  .concat(["package.json", "package-lock.json", ".npmrc", "README.md", "CHANGELOG.md", "LICENSE"])
  .filter((path) => textFile.test(path) && existsSync(join(root, path)));

test("no file names a folder of the machine it was written on", () => {
  const machine = new RegExp(String.raw`(^|[\s"'\`(=:])\/(work|home|root|Users)\/[A-Za-z0-9]`);
  const found: string[] = [];
  for (const path of tracked) {
    textOf(path)
      .split("\n")
      .forEach((line, i) => {
        if (line.length < 5000 && machine.test(line))
          found.push(`${path}:${i + 1}: ${line.trim()}`);
      });
  }
  assert.deepEqual(found, []);
  assert.ok(tracked.length > 200, String(tracked.length));
});

test("no file names a package registry, so that everybody's own is used", () => {
  const host = new RegExp(
    String.raw`\b(registry|npm|verdaccio|nexus|artifactory)\.[a-z0-9-]+\.[a-z]{2,}`,
  );
  const found = tracked.filter((path) => host.test(textOf(path)));
  assert.deepEqual(found, []);
  assert.ok(!textOf("package-lock.json").includes('"resolved"'));
});

test("everything that package.json exports exists after the build, and is a file of the package", () => {
  const { exports, imports, bin, files } = JSON.parse(textOf("package.json")) as {
    exports: Record<string, string>;
    imports: Record<string, Record<string, string>>;
    bin: Record<string, string>;
    files: string[];
  };
  const targets = [
    ...Object.values(exports),
    ...Object.values(imports).flatMap((conditions) => Object.values(conditions)),
    ...Object.values(bin),
  ];
  assert.ok(targets.length >= 10);
  for (const target of targets) {
    const path = target.replace(/^\.\//, "");
    assert.ok(existsSync(join(root, path)), `${path} does not exist`);
    const packed = path === "package.json" || files.some((folder) => path.startsWith(folder));
    assert.ok(packed, `${path} is not packed`);
    if (!path.endsWith(".js")) continue;
    assert.ok(existsSync(join(root, path.replace(/\.js$/, ".d.ts"))), `${path} has no types`);
  }
});
