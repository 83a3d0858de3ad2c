// Writes the pages that are generated from data; `--check` only reports whether all are up to date.
// Needs the build (npm run build).
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { renderErrors } from "../dist/test/docs/render-errors.js";
import { renderFromPython } from "../dist/test/reference/parity/render-page.js";
import { renderDifferences } from "../dist/test/reference/replay/render-differences.js";
import { fillCodeBlocks } from "./code-blocks.mjs";

const check = process.argv.includes("--check");
const pages = {
  "docs/from-python.md": renderFromPython(),
  "docs/differences.md": renderDifferences(),
  "docs/errors.md": fillCodeBlocks(renderErrors(), "docs/errors.md"),
};

for (const [page, fresh] of Object.entries(pages)) {
  if (existsSync(page) && readFileSync(page, "utf8") === fresh) continue;
  if (check) {
    console.error(`${page} is stale; run node scripts/generate-docs.mjs`);
    process.exitCode = 1;
  } else {
    writeFileSync(page, fresh);
  }
}
