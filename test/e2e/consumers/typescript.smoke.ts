/**
 * The package's types in the compilers of its users, from the oldest supported version to the
 * newest.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type PackedProject, ROOT, moduleNames } from "../package/packed-package.js";
import { projectWith } from "./tools.js";

const compilers = {
  "5.4": ".build/consumers/node_modules/typescript-5.4/bin/tsc",
  "5.6": ".build/consumers/node_modules/typescript-5.6/bin/tsc",
  "5.7": ".build/consumers/node_modules/typescript-5.7/bin/tsc",
  "6": "node_modules/typescript/bin/tsc",
  "7": "node_modules/typescript-native/bin/tsc",
};

let project: PackedProject;
before(() => {
  project = projectWith("vitest");
  // Code that must not compile, from the repository's own type test, with the package's name.
  const rules = readFileSync(join(ROOT, "test/types/capabilities.ts"), "utf8");
  project.write("capabilities.ts", rules.replace("../../src/index.js", "katzenpost-thinclient"));
  const all = moduleNames().map((name, i) => `import type * as all${i} from "${name}";`);
  const used = moduleNames().map((_, i) => `keyof typeof all${i}`);
  project.write("all.ts", `${all.join("\n")}\nexport type All = [${used.join(", ")}];\n`);
});
after(() => project[Symbol.dispose]());

const modules = [
  { module: "node16", moduleResolution: "node16" },
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
];

for (const [version, compiler] of Object.entries(compilers)) {
  for (const { module, moduleResolution } of modules) {
    for (const skipLibCheck of [false, true]) {
      const how = `${moduleResolution}, skipLibCheck ${skipLibCheck}`;
      test(`TypeScript ${version} distinguishes capabilities, ${how}`, () => {
        project.write("tsconfig.json", {
          compilerOptions: {
            target: "es2022",
            lib: ["es2022", "esnext.disposable", "dom"],
            module,
            moduleResolution,
            skipLibCheck,
            strict: true,
            exactOptionalPropertyTypes: true,
            noUncheckedIndexedAccess: true,
            noEmit: true,
            types: [],
          },
          files: ["capabilities.ts", "all.ts"],
        });
        assert.equal(project.node(join(ROOT, compiler), "--project", "."), "");
      });
    }
  }
}
