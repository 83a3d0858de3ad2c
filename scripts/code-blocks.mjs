// The code blocks of the pages: TypeScript and JavaScript are cut from examples that the tests run.
//   <!-- code: examples/echo.ts#echo -->
// is followed by a block with that region's lines.
import { readFileSync } from "node:fs";

const MARKED = /<!-- code: (\S+)#(\S+) -->\n```(\w+)\n[\s\S]*?```/g;
/** Languages that nobody runs, and that may stand in a page as they are. */
const UNMARKED_LANGUAGES = new Set(["", "sh", "console", "toml", "text"]);

/** The lines of a region, without their common indent. */
function region(file, name) {
  const match = new RegExp(`// #region ${name}\\n([\\s\\S]*?)// #endregion`).exec(
    readFileSync(file, "utf8"),
  );
  if (!match) throw new Error(`${file} has no region ${name}`);
  const lines = match[1].trimEnd().split("\n");
  const indent = Math.min(...lines.filter((l) => l.trim()).map((l) => l.search(/\S/)));
  return lines.map((line) => line.slice(indent)).join("\n");
}

/** The page with all marked blocks as the examples have them now. */
export function fillCodeBlocks(text) {
  return text.replace(
    MARKED,
    (_, file, name, language) =>
      `<!-- code: ${file}#${name} -->\n\`\`\`${language}\n${region(file, name)}\n\`\`\``,
  );
}

/** Lines, from 1, at which a block begins that no example stands behind, and its language. */
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
