/** Which names a file may arrive under. */
import { STEERING } from "../printable.js";

/** Most bytes of a name in UTF-8: what file systems take. */
const MAX_NAME_BYTES = 255;

/** The same in units of UTF-16, letters taken apart: what HFS+ takes. */
const MAX_NAME_UNITS = 255;

/** Most folders of a path, its file included, and most bytes of it: less than any system takes. */
const MAX_DEPTH = 32;
const MAX_PATH_BYTES = 1000;

/**
 * Names of devices on Windows, with any extension, as its documentation of file names lists them,
 * and those of its console. Spaces before the dot do not count there.
 */
const DEVICE = /^(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)/i;

/**
 * Why a name that a sender chose is refused, as a phrase; null when it is harmless on every system.
 * The same on all of them, so that what one sends another can receive.
 */
export function problemOfName(name: string): string | null {
  const own = problemOfOwnName(name);
  if (own !== null) return own;
  if (name.includes("\\")) return "it has a backslash";
  if (STEERING.test(name)) return "it has characters that do not show";
  if (name.startsWith(".")) return "it begins with a dot, and would be hidden";
  if (name.startsWith("-")) return "it begins with -, and would be taken for a flag";
  if (/[<>:"|?*]/.test(name)) return 'it has one of < > : " | ? *';
  if (/[. ]$/.test(name) || name.startsWith(" ")) return "it begins or ends with a space or dot";
  if (DEVICE.test(name)) {
    return "it is the name of a device";
  }
  return null;
}

/** Why a name that the user chose cannot be that of a file in a folder; null when it can. */
export function problemOfOwnName(name: string): string | null {
  if (name === "") return "it is empty";
  if (name === "." || name === "..") return "it is a folder";
  if (name.includes("/")) return "it has a slash";
  if (name.includes("\0")) return "it has a NUL";
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return "it is too long";
  // macOS takes letters apart, and then counts.
  if (name.normalize("NFD").length > MAX_NAME_UNITS) return "it is too long";
  return null;
}

/** What is between the folders of a path and its file. */
export const SEPARATOR = "/";

/**
 * Why a path that a sender chose is refused, as {@link problemOfName}: each of its parts must be
 * harmless.
 */
export function problemOfPath(path: string): string | null {
  const parts = path.split(SEPARATOR);
  if (parts.length > MAX_DEPTH) return "it has too many folders";
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return "it is too long";
  for (const part of parts) {
    const problem = problemOfName(part);
    if (problem !== null) return parts.length === 1 ? problem : `a part of it: ${problem}`;
  }
  return null;
}

/**
 * Names, or paths, with equal keys are one file on some system: they are compared by full case
 * folding (Unicode, section 5.18) of letters that were taken apart, as macOS does it; Windows folds
 * less.
 */
export function nameKey(name: string): string {
  return Array.from(name.normalize("NFD"), folded).join("").normalize("NFD");
}

/**
 * Two of some paths that cannot be together in one folder: they are one file on some system, or one
 * is a folder of the other; as their places in the list. Null when there are none.
 */
export function sameName(paths: readonly string[]): readonly [number, number] | null {
  const files = new Map<string, number>();
  const folders = new Map<string, number>();
  for (const [i, path] of paths.entries()) {
    const parts = nameKey(path).split(SEPARATOR);
    const key = parts.join(SEPARATOR);
    const other = files.get(key) ?? folders.get(key);
    if (other !== undefined) return [other, i];
    files.set(key, i);
    for (let end = 1; end < parts.length; end++) {
      const folder = parts.slice(0, end).join(SEPARATOR);
      const file = files.get(folder);
      if (file !== undefined) return [file, i];
      folders.set(folder, i);
    }
  }
  return null;
}

/**
 * A character's folding. Each is the small letter of its capital; twice, for what has several, as ẞ
 * does. The dotless i alone has the capital of another letter.
 */
function folded(character: string): string {
  if (character === "ı") return character;
  return character.toUpperCase().toLowerCase().toUpperCase().toLowerCase();
}
