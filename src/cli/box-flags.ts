/**
 * Flags and arguments that several commands for boxes share. Loaded at every start, so keep it
 * small.
 */
import { parseCount, parseText } from "./flags.js";

/**
 * The highest box number of a flag. Computing the index from the first box takes about ten seconds.
 */
export const MAX_BOX = 500_000;

/** Whether to leave the capability file unchanged. */
export const keep = {
  kind: "boolean",
  default: false,
  withNegated: false,
  brief: "Do not update the capability file",
} as const;

/** The argument that names a capability. */
export const capability = {
  placeholder: "CAP",
  parse: parseText,
  brief: "A capability file, or - for standard input",
} as const;

/** A flag that names a box by its number; each command adds its `brief`. */
export const box = {
  kind: "parsed",
  parse: parseCount(0, MAX_BOX),
  optional: true,
  placeholder: "N",
} as const;
