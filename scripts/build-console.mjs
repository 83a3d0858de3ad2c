// Bundles the console's page into dist/console: three files that load nothing else.
// ensure-built.mjs runs it after the compiler has checked the types.
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const ownFolder = join(root, "dist", "console");

/** Builds it. */
export async function buildConsole() {
  mkdirSync(ownFolder, { recursive: true });
  copyFileSync(join(root, "console", "index.html"), join(ownFolder, "index.html"));
  await bundleConsole(ownFolder);
}

/** Bundles its program and its styles into `folder`. */
export async function bundleConsole(folder) {
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: root,
    entryPoints: { console: "console/main.tsx" },
    outdir: folder,
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["browser"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    logLevel: "warning",
  });
  await build({
    absWorkingDir: root,
    entryPoints: ["console/console.css"],
    outdir: folder,
    minify: true,
    logLevel: "warning",
  });
}
