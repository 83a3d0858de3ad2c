/** The check of options: without it a misspelt one would be ignored silently. */
import { describeType } from "./bytes.js";

/**
 * Checks that `options` is an object with only known options.
 * @param name the name of the argument or option.
 * @throws TypeError naming the argument, what was wanted and what it got.
 */
export function checkOptions(name: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== "object" || options === null || ArrayBuffer.isView(options)) {
    throw new TypeError(`\`${name}\` must be an object, got ${describeType(options)}`);
  }
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const all = known.length === 0 ? "none" : known.join(", ");
    throw new TypeError(`\`${name}.${option}\` is not an option; known: ${all}`);
  }
}

/** @throws TypeError when `value` is not a boolean; with `optional`, undefined is allowed. */
export function checkFlag(name: string, value: unknown, optional = false): void {
  if (typeof value === "boolean" || (optional && value === undefined)) return;
  throw new TypeError(`\`${name}\` must be a boolean, got ${describeType(value)}`);
}
