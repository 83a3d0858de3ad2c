/** Which names a file may arrive under. */
import { STEERING } from "../printable.js";

/** Most bytes of a name in UTF-8: what file systems take. */
const MAX_NAME_BYTES = 255;

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
  if (/^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\.|$)/i.test(name)) {
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
  return null;
}

/** Names with equal keys are one file on some system. */
export function nameKey(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
