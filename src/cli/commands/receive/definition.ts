/** The definition of `katz receive`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseText } from "../../flags.js";

/** `katz receive`. */
export const receive = buildCommand({
  loader: async () => (await import("./receive.js")).receive,
  parameters: {
    flags: {
      into: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "DIR",
        brief: "Put the files in this folder (default: current folder)",
      },
      name: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "NAME",
        brief: "Save the file under this name",
      },
      force: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Replace existing files",
      },
      ...clientFlags,
    },
    positional: {
      kind: "array",
      parameter: {
        placeholder: "[TICKET-FILE]",
        parse: parseText,
        brief: "A file with the ticket, or - for standard input (default: ask)",
      },
    },
  },
  docs: {
    brief: "Receive the files of a ticket",
    fullDescription: described(
      "Fetches the files of a ticket and checks their SHA-256 digests. The ticket comes from\n" +
        "a file, from standard input or from a prompt, never from the command line, which\n" +
        "others can read. Replaces files only with --force. After an interruption, the same\n" +
        "command continues where it stopped.",
      [
        "katz receive",
        "katz receive ticket --into downloads",
        "katz receive - < ticket",
        "katz receive ticket --name mine.txt",
      ],
    ),
  },
});
