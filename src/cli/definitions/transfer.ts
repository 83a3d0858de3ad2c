/** The definitions of the commands for files: what they take, and what help says. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseText } from "../flags.js";

/** `katz send`. */
export const send = buildCommand({
  loader: async () => (await import("../commands/send.js")).send,
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
        brief: "Send a message that is typed, or comes by a pipe",
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
    brief: "Send files, for whoever gets the ticket",
    fullDescription: described(
      "Writes files into boxes and prints a ticket, the only line on standard output: whoever\n" +
        "has it can fetch them with katz receive, for about a week. Hand it over in private.\n" +
        "The receiver may begin at once. After Ctrl-C, or worse, the same command goes on\n" +
        "where it stopped, as long as the files are the same.",
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

/** `katz receive`. */
export const receive = buildCommand({
  loader: async () => (await import("../commands/receive.js")).receive,
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
