/** How `katz receive` is called. */
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
        brief: "Put the files here (the current folder)",
      },
      name: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "NAME",
        brief: "Call the file so, whatever its sender calls it",
      },
      force: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Replace files that are there",
      },
      ...clientFlags,
    },
    positional: {
      kind: "array",
      parameter: {
        placeholder: "[TICKET-FILE]",
        parse: parseText,
        brief: "A file with the ticket, - for standard input; asks without",
      },
    },
  },
  docs: {
    brief: "Receive the files of a ticket",
    fullDescription: described(
      "Fetches the files of a ticket and checks their SHA-256 digests. The ticket comes from\n" +
        "a file, from standard input, or is asked for; never from the command line, which\n" +
        "others can read. Nothing is replaced unless --force is given. After Ctrl-C, or worse,\n" +
        "the same command goes on where it stopped.",
      [
        "katz receive",
        "katz receive ticket --into downloads",
        "katz receive - < ticket",
        "katz receive ticket --name mine.txt",
      ],
    ),
  },
});
