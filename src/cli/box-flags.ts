/** Flags and arguments that several commands for boxes have. Loaded at every start: small. */
import { parseCount, parseText } from "./flags.js";

/** Boxes that a flag can name: as many steps from the first box are taken in about ten seconds. */
export const MAX_BOX = 500_000;

/** Whether to leave the capability file as it is. */
export const keep = {
  kind: "boolean",
  default: false,
  withNegated: false,
  brief: "Leave the capability file as it is",
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
