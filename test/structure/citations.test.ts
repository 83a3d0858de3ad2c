import assert from "node:assert/strict";
import { test } from "node:test";
import { filesIn, textOf } from "./source-tree.js";

/** The section numbers in the headings of each page of the specification. */
const sections = new Map(
  filesIn("docs/spec").map((path) => {
    const headings = textOf(path).matchAll(/^#{2,4} (\d+(?:\.\d+)*)/gm);
    return [path.replace(/^docs\/spec\/|\.md$/g, ""), new Set([...headings].map(([, n]) => n!))];
  }),
);

/** A page with its sections: `spec/mixnet §3.1, §4 and §7`. */
const citation = /spec\/([a-z-]+) ((?:(?:,| and| to)?\s*(?:\*|\/\/|#)?\s*§\d+(?:\.\d+)*)+)/g;

const files = ["src", "console", "playground", "test", "bench", "examples", "scripts", "docs"]
  .flatMap((folder) => filesIn(folder))
  .filter((path) => /\.(tsx?|mjs|md)$/.test(path) && !path.startsWith("docs/api/"))
  .concat(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]);

test("every cited section of the specification exists", () => {
  const missing: string[] = [];
  let cited = 0;
  for (const path of files) {
    for (const [, page, list] of textOf(path).matchAll(citation)) {
      const known = sections.get(page!);
      for (const [, number] of list!.matchAll(/§(\d+(?:\.\d+)*)/g)) {
        cited++;
        if (!known?.has(number!)) missing.push(`${path}: spec/${page} §${number}`);
      }
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(cited > 100, `${cited} citations`);
});

test("no comment cites a page in another form", () => {
  const other = /\b(?:protocol|pigeonhole|mixnet) page,/i;
  const found = files.filter(
    (path) => path !== "test/structure/citations.test.ts" && other.test(textOf(path)),
  );
  assert.deepEqual(found, []);
});
