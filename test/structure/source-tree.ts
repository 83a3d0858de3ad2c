/** The project's files and their imports, as the TypeScript compiler reads them. */
import { readFileSync, readdirSync } from "node:fs";
import { join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";
import typescript from "typescript";

/** The project's folder. */
export const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Every file below a folder of the project, as paths from its root with `/`. */
export function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.join(...join(entry.parentPath, entry.name).slice(root.length).split(sep)))
    .filter((path) => !path.split("/").some((part) => part === "node_modules" || part === ".git"))
    .sort();
}

/** A file's text. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The TypeScript sources of the package. */
export const sources = filesIn("src").filter((path) => path.endsWith(".ts"));

/** The TypeScript sources of the pages that the package ships built. */
export const pages = ["console", "playground"]
  .flatMap((folder) => filesIn(folder))
  .filter((path) => /\.tsx?$/.test(path));

/** The imports of a source: files of `src` without their extension, or the names of packages. */
export function importsOf(path: string): string[] {
  const { importedFiles } = typescript.preProcessFile(textOf(path), true, true);
  return importedFiles.map(({ fileName }) =>
    fileName.startsWith(".")
      ? posix.join(posix.dirname(path), fileName).replace(/\.js$/, "")
      : fileName,
  );
}
