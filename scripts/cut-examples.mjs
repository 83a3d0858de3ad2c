// Fills the code blocks of the pages from the examples; `--check` only reports whether all are up
// to date, and whether each has an example. Pages can be named; the default is all.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fillCodeBlocks, unmarkedBlocks } from "./code-blocks.mjs";

const check = process.argv.includes("--check");
const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const all = ["README.md", ...readdirSync("docs", { recursive: true }).map((f) => join("docs", f))];
// The API reports consist of signatures, not of code to run.
const pages = all.filter((name) => name.endsWith(".md") && !name.endsWith(".api.md"));

for (const page of named.length > 0 ? named : pages) {
  const text = readFileSync(page, "utf8");
  const fresh = fillCodeBlocks(text, page);
  if (fresh !== text && !check) writeFileSync(page, fresh);
  if (fresh !== text && check) {
    console.error(`${page}: code blocks are stale; run node scripts/cut-examples.mjs`);
    process.exitCode = 1;
  }
  for (const { line, language } of unmarkedBlocks(fresh)) {
    console.error(`${page}:${line}: this ${language} block has no example`);
    process.exitCode = 1;
  }
}
