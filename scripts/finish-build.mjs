// The steps after the compiler: it removes outputs without sources and, for the package, comments
// from the code. It imports nothing from node_modules before it needs it, because node_modules may
// not exist yet.
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
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

/**
 * A process that loads the file at this moment gets either all of the old text or all of the new.
 */
function replaceFile(path, text) {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** Where the package's files are kept while others replace them. */
const setAside = join(dist, ".set-aside");

/** Pictures in pages, which the package omits: a registry's page could not show them either. */
const picture = /^!\[[^\]]*\]\([^)]*\.webp\)\n\n?/gm;
const link = /\[([^\]]+)\]\(([^)\s#:]+)(?:#[^)\s]*)?\)/g;

/** Returns a function that says whether the package contains a file, by its list of files. */
function packedFiles() {
  const { files } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const rules = [...files, "README.md", "LICENSE", "package.json"].map((glob) => {
    const pattern = glob
      .replace(/^!/, "")
      .replace(/[.]/g, "\\.")
      .replace(/\*\*\/|\*/g, (stars) => (stars === "*" ? "[^/]*" : "(.*/)?"))
      .replace(/\{(.*)\}/g, (_, names) => `(${names.replaceAll(",", "|")})`);
    return { contains: !glob.startsWith("!"), pattern: new RegExp(`^${pattern}(/|$)`) };
  });
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.contains ?? false;
}

/**
 * A page without its pictures, and with only the text of each link to a file that the package
 * omits.
 */
function packedPage(page, isPacked) {
  const text = readFileSync(join(root, page), "utf8");
  return text.replace(picture, "").replace(link, (whole, words, target) => {
    const path = posix.join(posix.dirname(page), target);
    return existsSync(join(root, path)) && !isPacked(path) ? words : whole;
  });
}

/**
 * The package's manifest without the script that npm runs where the package is built from git: a
 * tarball does not have its file, and npm warns of scripts that run at an install.
 */
function packedManifest() {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  delete manifest.scripts.prepare;
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Replaces a file by another text until `endPack`. */
function setFileAside(path, text) {
  const saved = join(setAside, relative(root, path));
  mkdirSync(dirname(saved), { recursive: true });
  linkSync(path, saved);
  replaceFile(path, text);
}

/**
 * Replaces the package's files by versions that are only good for a package. They name no source
 * maps, because the package has none and tools complain if a named map is missing. Their code has no
 * empty lines, no indentation, and no spaces beside punctuation, which would invalidate maps.
 */
export async function beginPack() {
  endPack();
  const { default: typescript } = await import("typescript");
  for (const path of filesBelow(join(dist, "src"))) {
    if (!/(\.js|\.d\.ts)$/.test(path) || !existsSync(`${path}.map`)) continue;
    const text = path.endsWith(".js")
      ? rewriteGaps(typescript, path, withLessSpace)
      : withoutInternals(typescript, path);
    setFileAside(path, text.replace(mapLine, "\n"));
  }
  const isPacked = packedFiles();
  const pages = [
    ...filesBelow(join(root, "docs")),
    ...readdirSync(root).map((name) => join(root, name)),
  ]
    .map((path) => relative(root, path).replaceAll(sep, "/"))
    .filter((page) => page.endsWith(".md") && isPacked(page));
  for (const page of pages) setFileAside(join(root, page), packedPage(page, isPacked));
  setFileAside(join(root, "package.json"), packedManifest());
}

/**
 * A declaration file without the members of classes that are marked `@internal`: editors would offer
 * them to users. Constructors become private. Members that are named by a symbol stay, because they
 * tell classes apart.
 */
export function withoutInternals(typescript, path) {
  let text = readFileSync(path, "utf8");
  const source = typescript.createSourceFile(path, text, typescript.ScriptTarget.ES2022);
  const isInternal = (member) => {
    const comment = text.slice(member.pos, member.getStart(source));
    if (!/@internal\b/.test(comment)) return false;
    return typescript.isConstructorDeclaration(member) || typescript.isIdentifier(member.name);
  };
  const internals = source.statements
    .filter((statement) => typescript.isClassDeclaration(statement))
    .flatMap(({ members }) => members.filter(isInternal));
  for (const member of internals.toReversed()) {
    const isOpen =
      typescript.isConstructorDeclaration(member) &&
      typescript.getCombinedModifierFlags(member) === typescript.ModifierFlags.None;
    text =
      text.slice(0, member.pos) +
      (isOpen ? "\n    private constructor();" : "") +
      text.slice(member.end);
  }
  return text;
}

/** Restores the files that were replaced. */
export function endPack() {
  for (const saved of filesBelow(setAside))
    renameSync(saved, join(root, relative(setAside, saved)));
  rmSync(setAside, { recursive: true, force: true });
}

function withLessSpace(gap, before, after) {
  const text = gap.replace(/\s*\n\s*/g, "\n");
  // Punctuation ends a token by itself. An operator such as "+" may not: "a + +b".
  return /^ +$/.test(text) && /[{}()[\],;:=?]/.test(before + after) ? "" : text;
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
    for (const path of fresh) replaceFile(path, rewriteGaps(typescript, path, withoutComments));
  }
  writeFileSync(stamp, "");
}

function withoutComments(gap) {
  const bare = gap.replace(/\/\*[^]*?\*\/|\/\/[^\n]*/g, (comment) =>
    /[@#]__PURE__|@vite-ignore|# sourceMappingURL/.test(comment)
      ? comment
      : comment.replace(/[^\n]/g, ""),
  );
  return bare.replace(/[ \t]+$/gm, (blanks, offset) =>
    offset + blanks.length === bare.length ? blanks : "",
  );
}

/**
 * A program's text with each gap between two tokens rewritten; gaps only contain white space and
 * comments.
 */
function rewriteGaps(typescript, path, rewrite) {
  const text = readFileSync(path, "utf8");
  const source = typescript.createSourceFile(path, text, typescript.ScriptTarget.ES2022);
  let kept = "";
  let at = 0;
  const visit = (node) => {
    const children = node.getChildren(source).filter((child) => !typescript.isJSDoc(child));
    if (children.length > 0) {
      for (const child of children) visit(child);
      return;
    }
    const start = node.getStart(source, false);
    kept += rewrite(text.slice(at, start), kept.slice(-1), text[start] ?? "");
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
  const sources = ["playground", "console", "examples"].flatMap((name) =>
    filesBelow(join(root, name)),
  );
  if (sources.some((path) => statSync(path).mtimeMs > made)) await buildPlayground(folder, false);
}

/** The form of the package in which all files still have their source maps. */
export async function preparePackage() {
  leaveOutUnreachedDeclarations();
  await dropComments();
  await buildPlaygroundIfOlder();
}
