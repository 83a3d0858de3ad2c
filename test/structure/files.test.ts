import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import typescript from "typescript";
import { filesIn, pages, root, sources, textOf } from "./source-tree.js";

test("every source begins with a comment about its purpose", () => {
  const without = [...sources, ...pages].filter(
    (path) => !/^(#![^\n]*\n)?\/\*\*/.test(textOf(path)),
  );
  assert.deepEqual(without, []);
});

test("sources do not print, have no TODOs, and disable no rule without a reason", () => {
  const found: string[] = [];
  for (const path of [...sources, ...pages]) {
    textOf(path)
      .split("\n")
      .forEach((line, i) => {
        const isComment = /^\s*(\/\/|\/?\*)/.test(line);
        // The pages hold programs as text, which print.
        const mayPrint = path.startsWith("src/cli/") || !path.startsWith("src/");
        const prints = !isComment && /\bconsole\./.test(line) && !mayPrint;
        const putsOff = /\b(TODO|FIXME|XXX|HACK)\b/.test(line);
        const silences = /oxlint-disable|@ts-(ignore|expect-error|nocheck)/.test(line);
        if (prints || putsOff || (silences && !line.includes(" -- "))) {
          found.push(`${path}:${i + 1}: ${line.trim()}`);
        }
      });
  }
  assert.deepEqual(found, []);
});

const textFile = /\.(tsx?|mjs|js|json|md|toml|html|css|yml|yaml|txt)$|^\.[a-z]+rc/;
const folders = ["src", "console", "playground", "test", "bench", "examples", "scripts", "docs"];
const tracked = [...folders, ".ci", ".github"]
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap((folder) => filesIn(folder))
  .concat(["package.json", "package-lock.json", ".npmrc", "README.md", "CHANGELOG.md", "LICENSE"])
  .concat(["CONTRIBUTING.md", "SECURITY.md"])
  .filter((path) => (textFile.test(path) || path === ".ci/run") && existsSync(join(root, path)));

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

test("every export of package.json exists after the build, and is in the package", () => {
  const { exports, imports, bin, files } = JSON.parse(textOf("package.json")) as {
    exports: Record<string, string | Record<string, string>>;
    imports: Record<string, Record<string, string>>;
    bin: Record<string, string>;
    files: string[];
  };
  const targets = [
    ...Object.values(exports).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target),
    ),
    ...Object.values(imports).flatMap((conditions) => Object.values(conditions)),
    ...Object.values(bin),
  ];
  assert.ok(targets.length >= 10);
  for (const target of targets) {
    const path = target.replace(/^\.\//, "");
    assert.ok(existsSync(join(root, path)), `${path} does not exist`);
    const packed =
      path === "package.json" || files.some((pattern) => path.startsWith(pattern.split("*")[0]!));
    assert.ok(packed, `${path} is not packed`);
    if (!path.endsWith(".js")) continue;
    assert.ok(existsSync(join(root, path.replace(/\.js$/, ".d.ts"))), `${path} has no types`);
  }
});

test("every subpath of the package is a folder of the same name, and no other folder has an index", () => {
  const { exports } = JSON.parse(textOf("package.json")) as {
    exports: Record<string, string | { readonly default: string }>;
  };
  const entries: string[] = [];
  for (const [subpath, target] of Object.entries(exports)) {
    if (typeof target === "string") continue;
    const entry = `src/${subpath === "." ? "" : `${subpath.slice(2)}/`}index`;
    assert.equal(target.default, `./dist/${entry}.js`);
    entries.push(`${entry}.ts`);
  }
  const indices = sources.filter((path) => path.endsWith("/index.ts"));
  assert.deepEqual(indices.sort(), entries.sort());
});

/** Whether a file only exports declarations of other files. */
function onlyReexports(path: string, text: string): boolean {
  const { statements } = typescript.createSourceFile(path, text, typescript.ScriptTarget.ES2022);
  const others = statements.filter((statement) => !typescript.isImportDeclaration(statement));
  return (
    others.length > 0 && others.every((statement) => typescript.isExportDeclaration(statement))
  );
}

test("only the subpaths have files that merely re-export", () => {
  const found = sources.filter(
    (path) => !path.endsWith("/index.ts") && onlyReexports(path, textOf(path)),
  );
  assert.deepEqual(found, []);
  assert.ok(
    onlyReexports("a.ts", 'import { a } from "./b.js";\nexport { a };\nexport * from "./c.js";'),
  );
  assert.ok(!onlyReexports("a.ts", "export const a = 1;"));
});
