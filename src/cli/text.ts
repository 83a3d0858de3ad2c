/**
 * Text in columns and lines; widths are in cells of a terminal, of which some characters take two.
 * Loaded at every start: it does not import the library.
 */
import truncated from "fast-string-truncated-width";
import cellsOf from "fast-string-width";
import { wrapAnsi } from "fast-wrap-ansi";
import { printable } from "./printable.js";

export { cellsOf };

/** The beginning of `text` that fits into `cells`. */
export function cut(text: string, cells: number): string {
  return text.slice(0, truncated(text, { limit: Math.max(0, cells) }).index);
}

/** Rows as text, with aligned columns and two spaces between them; nothing after the last cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const texts = rows.map((row) => row.map((text) => printable(text)));
  const widths: number[] = [];
  for (const row of texts) {
    for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cellsOf(text));
  }
  const padded = (text: string, i: number): string => text + " ".repeat(widths[i]! - cellsOf(text));
  return texts.map((row) => row.map(padded).join("  ").trimEnd());
}

/** Breaks a text at spaces into lines of at most `width` cells; longer words stay whole. */
export function wrap(text: string, width: number): string[] {
  return wrapAnsi(text, width).split("\n");
}

/** `1 box`, `2 boxes`: a count with its noun. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** Seconds as `0:07`, `12:30`, `3:05:00`; with days if long enough. */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole >= 360_000) return `${Math.round(whole / 86_400)} days`;
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}
