/** The names under which a file may arrive. */
import { STEERING } from "../printable.js";

/** The most bytes of a name in UTF-8 that file systems accept. */
const MAX_NAME_BYTES = 255;

/** The same in UTF-16 units after decomposition: the limit of HFS+. */
const MAX_NAME_UNITS = 255;

/**
 * The most levels of a path, including the file, and its most bytes: less than any system's limit.
 */
const MAX_DEPTH = 32;
const MAX_PATH_BYTES = 1000;

/**
 * Names of devices on Windows, with any extension, from its documentation of file names, and those
 * of its console. Windows ignores spaces before the dot.
 */
const DEVICE = /^(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)/i;

/**
 * Why a name that a sender chose is refused, as a phrase; null if it is harmless on every system.
 * The rule is the same on all systems, so that each can receive what another sends.
 */
export function problemOfName(name: string): string | null {
  const own = problemOfOwnName(name);
  if (own !== null) return own;
  if (name.includes("\\")) return "it has a backslash";
  if (STEERING.test(name)) return "it has invisible characters";
  if (name.startsWith(".")) return "it begins with a dot, and would be hidden";
  if (name.startsWith("-")) return "it begins with -, and would be mistaken for a flag";
  if (/[<>:"|?*]/.test(name)) return 'it has one of < > : " | ? *';
  if (/[. ]$/.test(name) || name.startsWith(" ")) return "it begins or ends with a space or dot";
  if (DEVICE.test(name)) {
    return "it is the name of a device";
  }
  return null;
}

/** Why a name that the user chose cannot be used for a file in a folder; null if it can. */
export function problemOfOwnName(name: string): string | null {
  if (name === "") return "it is empty";
  if (name === "." || name === "..") return "it is a folder";
  if (name.includes("/")) return "it has a slash";
  if (name.includes("\0")) return "it has a NUL";
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return "it is too long";
  // macOS decomposes letters before it counts.
  if (name.normalize("NFD").length > MAX_NAME_UNITS) return "it is too long";
  return null;
}

/** The separator between the parts of a path. */
export const SEPARATOR = "/";

/**
 * Why a path that a sender chose is refused, like {@link problemOfName}: each of its parts must be
 * harmless.
 */
export function problemOfPath(path: string): string | null {
  const parts = path.split(SEPARATOR);
  if (parts.length > MAX_DEPTH) return "it has too many folders";
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return "it is too long";
  for (const part of parts) {
    const problem = problemOfName(part);
    if (problem !== null) return parts.length === 1 ? problem : `of one part: ${problem}`;
  }
  return null;
}

/**
 * Names, or paths, with equal keys are the same file on some system. They are compared by full case
 * folding (Unicode, section 5.18) of decomposed letters, as on macOS; Windows folds less.
 */
export function nameKey(name: string): string {
  return Array.from(name.normalize("NFD"), folded).join("").normalize("NFD");
}

/**
 * Two paths that cannot be together in one folder, as indices into the list: they are the same file
 * on some system, or one is a folder in the other. Null if there are none.
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
 * The case folding of a character: the small letter of its capital, applied twice for characters
 * with several, such as ẞ. Only the dotless i has the capital of another letter.
 */
function folded(character: string): string {
  if (character === "ı") return character;
  return character.toUpperCase().toLowerCase().toUpperCase().toLowerCase();
}
