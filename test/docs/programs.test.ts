/** The pages say where the rest of their code is, and where each name in it is imported from. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const textOf = (name: string): string => readFileSync(join(root, name), "utf8");
const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
  .map((name) => posix.join("docs", name.replaceAll("\\", "/")))
  .filter((name) => name.endsWith(".md") && textOf(name).includes("<!-- code:"));

/** A page's code blocks, by the program that they are cut from, in the page's order. */
function blocksOf(page: string): Map<string, string[]> {
  const blocks = new Map<string, string[]>();
  const marked = /<!-- code: (\S+)#\S+ -->\n```\w+\n([\s\S]*?)```/g;
  for (const [, file, code] of textOf(page).matchAll(marked)) {
    blocks.set(file!, [...(blocks.get(file!) ?? []), code!]);
  }
  return blocks;
}

/** The imports of a program, each name with its module, and the names in the rest of it. */
function namesIn(code: string): { imported: Map<string, string>; used: Set<string> } {
  const imported = new Map<string, string>();
  const used = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const from = (node.moduleSpecifier as ts.StringLiteral).text;
      const { name, namedBindings } = node.importClause!;
      if (name) imported.set(name.text, from);
      if (namedBindings && ts.isNamedImports(namedBindings)) {
        for (const element of namedBindings.elements) imported.set(element.name.text, from);
      }
      return;
    }
    if (ts.isPropertyAccessExpression(node)) return visit(node.expression);
    if (ts.isIdentifier(node)) used.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("block.ts", code, ts.ScriptTarget.ES2022, true));
  return { imported, used };
}

describe("the code of the pages", () => {
  test("is on all of them except the indexes", () =>
    assert.ok(pages.length >= 14, pages.join(" ")));

  for (const page of pages) {
    test(`of ${page} names its programs below the title`, () => {
      const head = textOf(page).split("\n").slice(0, 12).join("\n");
      for (const file of blocksOf(page).keys()) {
        const link = `[${file}](${posix.relative(posix.dirname(page), file)})`;
        assert.ok(head.includes(link), `${page} has no ${link}`);
      }
    });

    test(`of ${page} imports what it uses in the first block of each program`, () => {
      for (const [file, [first, ...later]] of blocksOf(page)) {
        const { used } = namesIn([first, ...later].join("\n"));
        const needed = [...namesIn(textOf(file)).imported].filter(([name]) => used.has(name));
        assert.deepEqual(namesIn(first!).imported, new Map(needed), file);
        for (const block of later) assert.equal(namesIn(block).imported.size, 0, file);
      }
    });
  }
});
