/** The definition of `katz keygen`. */
import { buildCommand } from "@stricli/core";
import { described, outputFlags, parseText } from "../../flags.js";

/** `katz keygen`. */
export const keygen = buildCommand({
  loader: async () => (await import("./keygen.js")).keygen,
  parameters: {
    flags: {
      output: {
        kind: "parsed",
        parse: parseText,
        placeholder: "NAME",
        brief: "Write NAME.write and NAME.read",
      },
      ...outputFlags,
    },
    aliases: { o: "output" },
  },
  docs: {
    brief: "Create a stream of boxes: one file to write it, one to read it",
    fullDescription: described(
      "Creates the two capabilities of a new stream and writes each to a file that only you\n" +
        "can read. NAME.write gives the right to write, delete and read the stream, NAME.read\n" +
        "to read it. Does not need a daemon and never replaces a file.",
      ["katz keygen -o diary", "katz keygen -o ~/.config/katzenpost/alice"],
    ),
  },
});
