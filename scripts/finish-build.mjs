// The steps after the compiler: it removes outputs without sources and, for the package, comments
// from the code. It imports nothing from node_modules before it needs it, because node_modules may
// not exist yet.
import {
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPlayground } from "./build-playground.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");
const output = /(\.js|\.d\.ts)(\.map)?$/;

/** Folders that are compiled into dist/. */
export const sourceFolders = ["src", "test", "bench", "examples"];

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/**
 * Removes the outputs of sources that were moved or deleted: otherwise tests would run them, and
 * the package would contain them.
 */
export function removeOrphans() {
  for (const folder of sourceFolders) {
    for (const path of filesBelow(join(dist, folder))) {
      const source = join(root, relative(dist, path)).replace(output, ".ts");
      if (output.test(path) && !existsSync(source)) rmSync(path);
    }
  }
}

const mapLine = /\n\/\/# sourceMappingURL=[^\n]*\n?$/;

/** A process that loads the file at this moment gets all of the old text or all of the new. */
function replaceFile(path, text) {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/**
 * Adds or removes the names of source maps at the ends of the package's files. The package contains
 * no maps, and tools complain if a named map is missing.
 */
export function nameSourceMaps(named) {
  for (const path of filesBelow(join(dist, "src"))) {
    if (!/(\.js|\.d\.ts)$/.test(path) || !existsSync(`${path}.map`)) continue;
    const text = readFileSync(path, "utf8");
    if (mapLine.test(text) === named) continue;
    const line = `\n//# sourceMappingURL=${basename(path)}.map`;
    replaceFile(path, named ? text.trimEnd() + line : text.replace(mapLine, "\n"));
  }
}

/** Makes npm leave out declarations that no subpath reaches: they are a fifth of all. */
function leaveOutUnreachedDeclarations() {
  const { exports, imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const reached = new Set();
  const visit = (path) => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const [, name] of readFileSync(path, "utf8").matchAll(
      /(?:\bfrom |\bimport[ (])"(\.[^"]+)"/g,
    )) {
      visit(join(dirname(path), name).replace(/\.js$/, ".d.ts"));
    }
  };
  for (const target of [...Object.values(exports), ...Object.values(imports)]) {
    if (typeof target === "string") continue;
    for (const [condition, path] of Object.entries(target)) {
      if (condition.startsWith("types")) visit(join(root, path));
    }
  }
  const source = join(dist, "src");
  const unreached = filesBelow(source)
    .filter((path) => path.endsWith(".d.ts") && !reached.has(path))
    .map((path) => `/${relative(source, path).replaceAll(sep, "/")}\n`);
  writeFileSync(join(source, ".npmignore"), unreached.sort().join(""));
}

/**
 * Removes comments from the package's code: they are a third of it, and users find what they need
 * in the declarations. Line numbers stay the same, so source maps stay correct. Comments for
 * compilers and bundlers (`@__PURE__`, `@vite-ignore`) are kept.
 */
async function dropComments() {
  const stamp = join(dist, ".without-comments");
  const last = existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  const fresh = filesBelow(join(dist, "src")).filter(
    (path) => path.endsWith(".js") && statSync(path).mtimeMs > last,
  );
  if (fresh.length > 0) {
    const { default: typescript } = await import("typescript");
    for (const path of fresh) replaceFile(path, withoutComments(typescript, path));
  }
  writeFileSync(stamp, "");
}

function withoutComments(typescript, path) {
  const text = readFileSync(path, "utf8");
  const source = typescript.createSourceFile(path, text, typescript.ScriptTarget.ES2022);
  let kept = "";
  let at = 0;
  // Between the tokens of a program there are only blanks and comments.
  const visit = (node) => {
    const children = node.getChildren(source).filter((child) => !typescript.isJSDoc(child));
    if (children.length > 0) {
      for (const child of children) visit(child);
      return;
    }
    const start = node.getStart(source, false);
    const between = text
      .slice(at, start)
      .replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, (comment) =>
        /[@#]__PURE__|@vite-ignore|# sourceMappingURL/.test(comment)
          ? comment
          : comment.replace(/[^\n]/g, ""),
      );
    kept += between.replace(/[ \t]+$/gm, (blanks, offset) =>
      offset + blanks.length === between.length ? blanks : "",
    );
    kept += text.slice(start, node.end);
    at = node.end;
  };
  visit(source);
  return kept;
}

/** Bundles the playground, if any of its sources is newer. */
async function buildPlaygroundIfOlder() {
  const folder = join(dist, "playground");
  const index = join(folder, "examples.json");
  const made = existsSync(index) ? statSync(index).mtimeMs : 0;
  const sources = ["playground", "examples"].flatMap((name) => filesBelow(join(root, name)));
  if (sources.some((path) => statSync(path).mtimeMs > made)) await buildPlayground(folder, false);
}

/** Gives the package the form that npm packs. */
export async function preparePackage() {
  leaveOutUnreachedDeclarations();
  await dropComments();
  await buildPlaygroundIfOlder();
}
