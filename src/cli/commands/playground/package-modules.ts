/**
 * The package's own modules and their imports, in a form that a page can load: one by one, with
 * paths in place of package names. So the package does not need a second, bundled copy of itself.
 */
import { existsSync, realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../../../", import.meta.url)).replace(/[\\/]$/, "");

/** The files behind `#platform` and `#level` in a page. */
const forBrowsers: Readonly<Record<string, string>> = {
  "#platform": join(ROOT, "dist/src/platform/browser.js"),
  "#level": join(ROOT, "dist/src/platform/browser-level.js"),
};

/**
 * Modules by path: `/bare/NAME` for package names in a program's imports, `/modules/…` for files.
 */
export class PackageModules {
  /** The folders of packages, by their number in paths. */
  readonly #roots = [ROOT];

  /** The text at that path; null if there is none. */
  async get(path: string): Promise<string | null> {
    const [, bare] = /^\/bare\/([@\w./-]+)$/.exec(path) ?? [];
    if (bare !== undefined) {
      const place = this.#placeOf(bare, join(ROOT, "package.json"));
      return place === null ? null : `export * from ${JSON.stringify(place)};\n`;
    }
    const [, number, name] = /^\/modules\/(\d{1,3})\/([@\w./-]+\.js)$/.exec(path) ?? [];
    const root = this.#roots[Number(number)];
    if (root === undefined || name === undefined || name.split("/").includes("..")) return null;
    const file = join(root, name);
    if (!existsSync(file)) return null;
    return this.#placed(await readFile(file, "utf8"), file);
  }

  /** A module's text, with paths in place of its imports. */
  #placed(text: string, file: string): string {
    return text.replace(
      /((?:\bfrom|\bimport)\s*\(?\s*)(["'])([#@\w][^"'\n]*)\2/g,
      (whole, before: string, quote: string, name: string) => {
        const place = this.#placeOf(name, file);
        return place === null ? whole : `${before}${quote}${place}${quote}`;
      },
    );
  }

  /** The path of a package's module; null if there is no such package. */
  #placeOf(name: string, from: string): string | null {
    let file: string;
    try {
      const ours =
        from.startsWith(ROOT + sep) && !from.includes(`${sep}node_modules${sep}`, ROOT.length);
      file =
        forBrowsers[name] ??
        (ours
          ? fileURLToPath(import.meta.resolve(name))
          : createRequire(realpathSync(from)).resolve(name));
    } catch {
      return null;
    }
    const root = packageOf(file);
    if (root === null) return null;
    let number = this.#roots.indexOf(root);
    if (number < 0) number = this.#roots.push(root) - 1;
    return `/modules/${number}/${relative(root, file).replaceAll(sep, "/")}`;
  }
}

/** The folder of the package that contains a file. */
function packageOf(file: string): string | null {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
  }
  return null;
}
