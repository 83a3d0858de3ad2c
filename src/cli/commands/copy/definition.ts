/** The definition of `katz copy`. */
import { buildCommand } from "@stricli/core";
import { keep } from "../../box-flags.js";
import { clientFlags, described, parseText } from "../../flags.js";

/** `katz copy`. */
export const copy = buildCommand({
  loader: async () => (await import("./copy.js")).copy,
  parameters: {
    flags: { keep, ...clientFlags },
    positional: {
      kind: "array",
      minimum: 2,
      parameter: {
        placeholder: "FILE CAP",
        parse: parseText,
        brief: "The payload, then capability files that can write; one may be -",
      },
    },
  },
  docs: {
    brief: "Copy a payload into boxes of one or several streams",
    fullDescription: described(
      "Writes a payload into the next boxes of every stream, with one copy command: a courier\n" +
        "writes them after it has all parts, so an observer of your traffic cannot tell which\n" +
        "streams they are. One stream takes up to 83 MB (78 MB with CTIDH1024-X25519); several\n" +
        "streams share that limit. Each box holds 4 bytes less than one of katz write. To give\n" +
        "somebody a file, katz send is simpler and faster.",
      ["katz copy news.html alice.write bob.write", "tar c docs | katz copy - backup.write"],
    ),
  },
});
