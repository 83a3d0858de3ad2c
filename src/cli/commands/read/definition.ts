/** The definition of `katz read`. */
import { buildCommand } from "@stricli/core";
import { box, capability, keep } from "../../box-flags.js";
import { clientFlags, described, parseCount } from "../../flags.js";

/** `katz read`. */
export const read = buildCommand({
  loader: async () => (await import("./read.js")).read,
  parameters: {
    flags: {
      count: {
        kind: "parsed",
        parse: parseCount(1, Number.MAX_SAFE_INTEGER),
        default: "1",
        placeholder: "N",
        brief: "Number of boxes",
      },
      box: { ...box, brief: "Begin at box N (from 0) instead of the next one" },
      now: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Fail if a box is empty, do not wait",
      },
      keep,
      ...clientFlags,
    },
    aliases: { n: "count" },
    positional: { kind: "tuple", parameters: [capability] },
  },
  docs: {
    brief: "Read boxes of a stream to standard output",
    fullDescription: described(
      "Reads the next box of a stream, and saves the position in the capability file.\n" +
        "Waits until the box is written, unless --now is given. A pipe gets the unchanged bytes;\n" +
        "on a terminal, control characters are escaped.",
      [
        "katz read diary.read",
        "katz read diary.read -n 3 --json",
        "katz read diary.read --box 0 --now",
        "pass show diary | katz read -",
      ],
    ),
  },
});
