// Fills the code blocks of the docs from examples that are run by the tests.
//   <!-- code: examples/echo.ts#echo -->
// is followed by a block that this script writes; `--check` only says whether all are fresh.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const check = process.argv.includes("--check");
const pages = ["README.md", ...readdirSync("docs", { recursive: true }).map((f) => join("docs", f))];

function region(file, name) {
  const match = new RegExp(`// #region ${name}\\n([\\s\\S]*?)// #endregion`).exec(
    readFileSync(file, "utf8"),
  );
  if (!match) throw new Error(`${file} has no region ${name}`);
  const lines = match[1].trimEnd().split("\n");
  const indent = Math.min(...lines.filter((l) => l.trim()).map((l) => l.search(/\S/)));
  return lines.map((line) => line.slice(indent)).join("\n");
}

for (const page of pages.filter((name) => name.endsWith(".md"))) {
  const text = readFileSync(page, "utf8");
  const fresh = text.replace(
    /<!-- code: (\S+)#(\S+) -->\n```(\w+)\n[\s\S]*?```/g,
    (_, file, name, language) =>
      `<!-- code: ${file}#${name} -->\n\`\`\`${language}\n${region(file, name)}\n\`\`\``,
  );
  if (fresh === text) continue;
  if (check) {
    console.error(`${page}: code blocks are stale; run node scripts/cut-examples.mjs`);
    process.exitCode = 1;
  } else {
    writeFileSync(page, fresh);
  }
}
