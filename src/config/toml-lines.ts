/**
 * The lines of keys in a TOML text, for messages: the parser reports lines only for syntax errors.
 */

/** The path to a value: keys, and indices into arrays of tables. */
export type TomlPath = readonly (string | number)[];

const bareOrQuoted = /\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*/y;

/** Lines of tables and keys, which match in any case. */
export class TomlLines {
  readonly #lines = new Map<string, number>();

  /** @param text a text that the parser accepts; for any other text the lines may be wrong. */
  constructor(text: string) {
    const counts = new Map<string, number>();
    let table: TomlPath = [];
    let fence: string | null = null;
    for (const [i, line] of text.split("\n").entries()) {
      if (fence !== null) {
        if (line.includes(fence)) fence = null;
        continue;
      }
      const header = /^\s*(\[\[?)(.*)$/.exec(line);
      if (header !== null) {
        const [keys] = dottedKeys(header[2]!, 0);
        table = this.#inArrays(keys, counts, header[1] === "[[");
        this.#note(table, i + 1);
        continue;
      }
      const [keys, end] = dottedKeys(line, 0);
      if (keys.length === 0 || line[end] !== "=") continue;
      this.#note([...table, ...keys], i + 1);
      const value = line.slice(end + 1).trimStart();
      const opening = /^("""|''')/.exec(value)?.[1];
      if (opening !== undefined && !value.slice(3).includes(opening)) fence = opening;
    }
  }

  /**
   * The line of a key, counted from 1; if it is missing, the line of its table; null for the top
   * level.
   */
  lineOf(path: TomlPath): number | null {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lines.get(nameOf(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return null;
  }

  #note(path: TomlPath, line: number): void {
    for (let length = path.length; length > 0; length--) {
      const name = nameOf(path.slice(0, length));
      if (!this.#lines.has(name)) this.#lines.set(name, line);
    }
  }

  /** The path of a table, with the indices of its arrays. */
  #inArrays(keys: readonly string[], counts: Map<string, number>, isNext: boolean): TomlPath {
    const path: (string | number)[] = [];
    for (const [i, key] of keys.entries()) {
      path.push(key);
      const name = nameOf(path);
      if (isNext && i === keys.length - 1) counts.set(name, (counts.get(name) ?? -1) + 1);
      const count = counts.get(name);
      if (count !== undefined) path.push(count);
    }
    return path;
  }
}

function nameOf(path: TomlPath): string {
  return JSON.stringify(path.map((part) => (typeof part === "string" ? part.toLowerCase() : part)));
}

/** The keys at `start`, and the offset after them. */
function dottedKeys(text: string, start: number): [keys: string[], end: number] {
  const keys: string[] = [];
  let at = start;
  for (;;) {
    bareOrQuoted.lastIndex = at;
    const match = bareOrQuoted.exec(text);
    if (match === null) return [keys, at];
    keys.push(match[1] ?? match[2] ?? match[3]!);
    at = bareOrQuoted.lastIndex;
    if (text[at] !== ".") return [keys, at];
    at++;
  }
}
