/** The definition of `katz send`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseText } from "../../flags.js";

/** `katz send`. */
export const send = buildCommand({
  loader: async () => (await import("./send.js")).send,
  parameters: {
    flags: {
      name: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "NAME",
        brief: "Send the file, or folder, under this name",
      },
      text: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Send a typed or piped message",
      },
      ...clientFlags,
    },
    positional: {
      kind: "array",
      parameter: {
        placeholder: "FILE",
        parse: parseText,
        brief: "Files and folders; - is standard input, with --name",
      },
    },
  },
  docs: {
    brief: "Send files to anyone who gets the ticket",
    fullDescription: described(
      "Writes files into boxes and prints a ticket, the only line on standard output. Anyone\n" +
        "who has it can fetch the files with katz receive, for about a week. Hand it over in\n" +
        "private. The receiver may begin at once. After an interruption, the same command\n" +
        "continues where it stopped, if the files have not changed.",
      [
        "katz send photos.zip",
        "(umask 077; katz send report.pdf notes.txt > ticket)",
        "katz send holidays/ | ssh bob katz receive -",
        "tar c docs | katz send - --name docs.tar",
        "katz send --text",
      ],
    ),
  },
});
