// The code blocks of the pages: TypeScript and JavaScript are cut from examples that the tests run.
//   <!-- code: examples/echo.ts#echo -->
// is followed by a block with that region's lines. A page's first block from a program begins with
// the imports that its blocks need, and pages below docs/ name their programs at the top.
import { readFileSync } from "node:fs";
import { posix } from "node:path";

const MARKED = /<!-- code: (\S+)#(\S+) -->\n```(\w+)\n[\s\S]*?```/g;
const IMPORT = /^import (type )?(?:(\w+)|\{([^}]*)\}) from ("[^"]+");\n/gm;
const PROGRAMS = /^(# .*\n\n)(?:<!-- programs -->\n[\s\S]*?\n\n)?/;
/** Longer lines are wrapped, as the formatter does. */
const LINE_LENGTH = 100;
/** Languages without runnable examples; their blocks may be written by hand. */
const UNMARKED_LANGUAGES = new Set(["", "sh", "console", "toml", "text"]);

/** The lines of a region, without their common indent and without imports. */
function region(file, name) {
  const match = new RegExp(`// #region ${name}\\n([\\s\\S]*?)// #endregion`).exec(
    readFileSync(file, "utf8"),
  );
  if (!match) throw new Error(`${file} has no region ${name}`);
  const lines = match[1].replace(IMPORT, "").replace(/^\n+/, "").trimEnd().split("\n");
  const indent = Math.min(...lines.filter((l) => l.trim()).map((l) => l.search(/\S/)));
  return lines.map((line) => line.slice(indent)).join("\n");
}

/** The import lines of a program, without the names that `code` does not use. */
function importsFor(file, code) {
  const words = code.replace(/\/\/.*$|\/\*[\s\S]*?\*\//gm, "").replace(/"[^"\n]*"/g, "");
  const isUsed = (name) => new RegExp(`(?<![.\\w])${name}\\b`).test(words);
  let lines = "";
  for (const [, type = "", whole, list, from] of readFileSync(file, "utf8").matchAll(IMPORT)) {
    if (whole !== undefined) {
      if (isUsed(whole)) lines += `import ${type}${whole} from ${from};\n`;
      continue;
    }
    const names = list.split(",").map((name) => name.trim());
    const used = names.filter((name) => name !== "" && isUsed(name.replace(/^type /, "")));
    if (used.length === 0) continue;
    const line = `import ${type}{ ${used.join(", ")} } from ${from};`;
    const broken = `import ${type}{\n${used.map((name) => `  ${name},\n`).join("")}} from ${from};`;
    lines += `${line.length > LINE_LENGTH ? broken : line}\n`;
  }
  return lines;
}

/** Adds links to the programs of the blocks below the title of a page in docs/. */
function namePrograms(text, page, files) {
  if (!page.startsWith("docs/") || files.length === 0) return text;
  const links = files.map((file) => `[${file}](${posix.relative(posix.dirname(page), file)})`);
  const what =
    files.length === 1 ? "program that the code below is" : "programs that the code below is";
  const note = `<!-- programs -->\nThe whole ${what} cut from:\n${links.join(",\n")}.\n\n`;
  return text.replace(PROGRAMS, (_, title) => title + note);
}

/**
 * Returns the page with all marked blocks filled from the examples; `page` is its path from the
 * root.
 */
export function fillCodeBlocks(text, page) {
  const code = new Map();
  for (const [, file, name] of text.matchAll(MARKED)) {
    code.set(file, `${code.get(file) ?? ""}${region(file, name)}\n`);
  }
  const files = [...code.keys()];
  const begun = new Set();
  const filled = text.replace(MARKED, (_, file, name, language) => {
    const imports = begun.has(file) ? "" : importsFor(file, code.get(file));
    begun.add(file);
    const lines = `${imports}${imports && "\n"}${region(file, name)}`;
    return `<!-- code: ${file}#${name} -->\n\`\`\`${language}\n${lines}\n\`\`\``;
  });
  return namePrograms(filled, page.replaceAll("\\", "/"), files);
}

/** Lines, from 1, of blocks without an example, with their languages. */
export function unmarkedBlocks(text) {
  const found = [];
  let open = false;
  let before = "";
  for (const [i, line] of text.split("\n").entries()) {
    const fence = /^\s*(?:```|~~~)(.*)$/.exec(line);
    if (fence) {
      const language = fence[1].trim();
      const marked = /^<!-- code: \S+#\S+ -->$/.test(before);
      if (!open && !marked && !UNMARKED_LANGUAGES.has(language)) {
        found.push({ line: i + 1, language });
      }
      open = !open;
    }
    before = line;
  }
  return found;
}
