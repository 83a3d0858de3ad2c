/** The definition of `katz write`. */
import { buildCommand } from "@stricli/core";
import { box, capability, keep } from "../../box-flags.js";
import { clientFlags, described, parseText } from "../../flags.js";

/** `katz write`. */
export const write = buildCommand({
  loader: async () => (await import("./write.js")).write,
  parameters: {
    flags: {
      box: { ...box, brief: "Write box N, from 0, not the next one" },
      keep,
      ...clientFlags,
    },
    positional: {
      kind: "tuple",
      parameters: [
        capability,
        {
          placeholder: "FILE",
          parse: parseText,
          optional: true,
          brief: "The message (standard input)",
        },
      ],
    },
  },
  docs: {
    brief: "Write a message into the next box of a stream",
    fullDescription: described(
      "Writes one box, waits until it is stored, and advances the position in the capability\n" +
        "file. The message comes from a file or from standard input, and must fit into one box.\n" +
        "Writing the same message again does no harm. Writing something else into a box that\n" +
        "already holds a message fails.",
      [
        "echo hello | katz write diary.write",
        "katz write diary.write note.txt",
        "pass show diary | katz write - note.txt",
      ],
    ),
  },
});
