/** The definition of `katz tombstone`. */
import { buildCommand } from "@stricli/core";
import { MAX_BOX, box, capability, keep } from "../../box-flags.js";
import { clientFlags, described, parseCount } from "../../flags.js";

/** `katz tombstone`. */
export const tombstone = buildCommand({
  loader: async () => (await import("./tombstone.js")).tombstone,
  parameters: {
    flags: {
      box: { ...box, brief: "The first box to delete, from 0" },
      count: { ...box, parse: parseCount(1, MAX_BOX), brief: "Number of boxes (1)" },
      all: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Every box before the next one",
      },
      keep,
      ...clientFlags,
    },
    aliases: { n: "count" },
    positional: { kind: "tuple", parameters: [capability] },
  },
  docs: {
    brief: "Delete boxes of a stream",
    fullDescription: described(
      "Puts tombstones into boxes: their contents are deleted, and readers see that. Boxes are\n" +
        "counted from 0 at the capability's first box. Readers keep copies they have made.",
      [
        "katz tombstone diary.write --box 3",
        "katz tombstone diary.write --box 0 -n 10",
        "katz tombstone diary.write --all",
      ],
    ),
  },
});
