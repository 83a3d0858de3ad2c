/** Checks on configuration; a failure is a ConfigError that names the place. */
import { describeType } from "../bytes/bytes.js";
import { ConfigError } from "./errors.js";

/** Names in the form `['A', 'B']`, for messages about configuration files. */
export function quotedList(names: readonly string[]): string {
  return `[${names.map((name) => `'${name}'`).join(", ")}]`;
}

/** Whether `value` is a plain record: a TOML table or an options object. */
export function isTable(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The keys of `table` that are not in `known`, sorted. */
export function unknownKeys(table: object, known: readonly string[]): string[] {
  return Object.keys(table)
    .filter((key) => !known.includes(key))
    .toSorted();
}

/**
 * Checks that `init` is an object whose every field is known.
 * @throws ConfigError that begins with `name`, lists the unknown fields and ends with `hint` about
 * them.
 */
export function checkFields(
  name: string,
  init: unknown,
  known: readonly string[],
  hint: (unknown: readonly string[]) => string = () => "",
): void {
  if (typeof init !== "object" || init === null || Array.isArray(init)) {
    throw new ConfigError(`${name}: must be an object, got ${describeType(init)}`);
  }
  const unknown = unknownKeys(init, known);
  if (unknown.length === 0) return;
  throw new ConfigError(
    `${name}: unknown option(s) ${quotedList(unknown)}; expected some of ${quotedList(known)}` +
      hint(unknown),
  );
}

/** Returns `value` as a string. @throws ConfigError that begins with `name`. */
export function checkText(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new ConfigError(`${name} must be a string, got ${describeType(value)}`);
}

/** Returns what `make` returns; prefixes its ConfigErrors with `place`. */
export function within<T>(place: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${place}: ${error.message}`);
    throw error;
  }
}
