/** The pages are consistent: their code is cut from examples, and their links have targets. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

function run(...args: readonly string[]): { status: number | null; output: string } {
  const result = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  return { status: result.status, output: result.stdout + result.stderr };
}

/** The anchor of a heading in links, as code hosts derive it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

function anchorsOf(markdown: string): Set<string> {
  const headings = markdown.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm);
  return new Set([...headings].map(([, heading]) => anchorOf(heading!)));
}

/** Links of a page without a target in the project. */
function deadLinks(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8").replace(/^```[\s\S]*?^```/gm, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const [path, anchor] = target.split("#") as [string, string | undefined];
      const file = path === "" ? join(root, page) : join(root, dirname(page), path);
      if (!existsSync(file)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).has(anchor);
    });
}

describe("the pages", () => {
  test("have links that lead somewhere", () => {
    assert.ok(pages.length >= 20, String(pages.length));
    const dead = pages.flatMap((page) => deadLinks(page).map((link) => `${page}: ${link}`));
    assert.deepEqual(dead, []);
  });

  test("of the guide end with a link to the next one", () => {
    const text = (name: string): string => readFileSync(join(root, "docs/guide", name), "utf8");
    const order = [...text("README.md").matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, name]) => name!);
    const all = readdirSync(join(root, "docs/guide")).filter((name) => name !== "README.md");
    assert.deepEqual([...order].sort(), all.sort());
    const next = order.map((name) => {
      const last = text(name).trimEnd().split("\n").at(-1)!;
      return [name, /^Next: \[[^\]]+\]\(([\w-]+\.md)\)/.exec(last)?.[1]];
    });
    assert.deepEqual(
      next,
      order.map((name, at) => [name, order[at + 1]]),
    );
  });

  test("can all be reached from the README", () => {
    const reached = new Set(["README.md"]);
    for (const page of reached) {
      const text = readFileSync(join(root, page), "utf8");
      for (const [, target] of text.matchAll(/\]\(([^)\s#:]+)(?:#[^)]*)?\)/g)) {
        const path = join(dirname(page), target!);
        if (path.endsWith(".md") && existsSync(join(root, path))) reached.add(path);
      }
    }
    const lost = pages.filter((page) => !reached.has(page) && !page.endsWith(".api.md"));
    assert.deepEqual(lost, []);
  });
});

describe("scripts/cut-examples.mjs --check", () => {
  test("finds nothing stale and nothing handwritten", () => {
    const { status, output } = run("scripts/cut-examples.mjs", "--check");
    assert.equal(status, 0, output);
  });

  const fence = "```";
  const cases: [what: string, page: string, says: RegExp][] = [
    [
      "a block that differs from its example",
      `<!-- code: examples/echo.ts#echo -->\n${fence}ts\nconst old = 1;\n${fence}\n`,
      /page\.md: code blocks are stale/,
    ],
    [
      "a block without an example",
      `# Page\n\n${fence}ts\nconst made = "up";\n${fence}\n`,
      /page\.md:3: this ts block has no example/,
    ],
    [
      "a block without an example after a valid one",
      `${fence}sh\nkatz tour\n${fence}\n\n- item\n\n  ${fence}js\n  made();\n  ${fence}\n`,
      /page\.md:7: this js block has no example/,
    ],
    [
      "a missing region",
      `<!-- code: examples/echo.ts#gone -->\n${fence}ts\n${fence}\n`,
      /examples\/echo\.ts has no region gone/,
    ],
  ];
  for (const [what, page, says] of cases) {
    test(`fails on ${what}`, () => {
      const folder = mkdtempSync(join(tmpdir(), "katz-page-"));
      const path = join(folder, "page.md");
      writeFileSync(path, page);
      const { status, output } = run("scripts/cut-examples.mjs", "--check", path);
      assert.equal(readFileSync(path, "utf8"), page);
      rmSync(folder, { recursive: true });
      assert.equal(status, 1);
      assert.match(output, says);
    });
  }
});

describe("the public API", () => {
  test("equals the one that docs/api reports, where a change is visible", () => {
    const { status, output } = run("scripts/api-report.mjs", "--check");
    assert.equal(status, 0, output);
  });

  test("produces a reference without warnings", () => {
    const { status, output } = run("node_modules/typedoc/bin/typedoc", "--emit", "none");
    assert.equal(status, 0, output);
  });
});
