/** The one check of options: a misspelt one would otherwise be ignored without a word. */
import { describeType } from "./bytes.js";

/**
 * Checks that `options` is an object with no options but the known ones.
 * @param name the argument, or the option, that it is.
 * @throws TypeError naming the argument, what was wanted and what came.
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
