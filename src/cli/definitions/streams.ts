/** The definitions of the commands for boxes: what they take, and what help says. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, outputFlags, parseCount, parseText } from "../flags.js";

/** Boxes that a flag can name: as many steps from the first box are taken in about ten seconds. */
const MAX_BOX = 500_000;

const keep = {
  kind: "boolean",
  default: false,
  withNegated: false,
  brief: "Leave the capability file as it is",
} as const;

const capability = {
  placeholder: "CAP",
  parse: parseText,
  brief: "A capability file, or - for standard input",
} as const;

const box = {
  kind: "parsed",
  parse: parseCount(0, MAX_BOX),
  optional: true,
  placeholder: "N",
} as const;

/** `katz keygen`. */
export const keygen = buildCommand({
  loader: async () => (await import("../commands/keygen.js")).keygen,
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
    brief: "Make a new stream of boxes: a file to write it, a file to read it",
    fullDescription: described(
      "Makes the two capabilities of a new stream and writes each to a file that only you\n" +
        "can read. Whoever has NAME.write can write, delete and read the stream; whoever has\n" +
        "NAME.read can read it. Needs no daemon, and never replaces a file.",
      ["katz keygen -o diary", "katz keygen -o ~/.config/katzenpost/alice"],
    ),
  },
});

/** `katz read`. */
export const read = buildCommand({
  loader: async () => (await import("../commands/read.js")).read,
  parameters: {
    flags: {
      count: {
        kind: "parsed",
        parse: parseCount(1, Number.MAX_SAFE_INTEGER),
        default: "1",
        placeholder: "N",
        brief: "How many boxes",
      },
      box: { ...box, brief: "Begin at box N, from 0, not at the next one" },
      now: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Fail when a box is empty instead of waiting",
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
      "Reads the next box of a stream, and notes in the capability file that it was read.\n" +
        "Waits until something is in the box, unless --now is given. To a pipe go the very\n" +
        "bytes; to a terminal, a line with what could steer it made visible.",
      [
        "katz read diary.read",
        "katz read diary.read -n 3 --json",
        "katz read diary.read --box 0 --now",
        "pass show diary | katz read -",
      ],
    ),
  },
});

/** `katz write`. */
export const write = buildCommand({
  loader: async () => (await import("../commands/write.js")).write,
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
      "Writes one box, waits until it is stored, and notes in the capability file that the\n" +
        "next one follows. The message comes from a file or from standard input, and must\n" +
        "fit into a box. Writing the same again does no harm; something else into a box\n" +
        "that is taken fails.",
      [
        "echo hello | katz write diary.write",
        "katz write diary.write note.txt",
        "pass show diary | katz write - note.txt",
      ],
    ),
  },
});

/** `katz tombstone`. */
export const tombstone = buildCommand({
  loader: async () => (await import("../commands/tombstone.js")).tombstone,
  parameters: {
    flags: {
      box: { ...box, brief: "The first box to delete, from 0" },
      count: { ...box, parse: parseCount(1, MAX_BOX), brief: "How many boxes (1)" },
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
      "Puts tombstones into boxes: what they hold is deleted, and readers are told so. Boxes\n" +
        "are counted from 0 at the capability's first. Copies that readers made stay theirs.",
      [
        "katz tombstone diary.write --box 3",
        "katz tombstone diary.write --box 0 -n 10",
        "katz tombstone diary.write --all",
      ],
    ),
  },
});

/** `katz copy`. */
export const copy = buildCommand({
  loader: async () => (await import("../commands/copy.js")).copy,
  parameters: {
    flags: { keep, ...clientFlags },
    positional: {
      kind: "array",
      minimum: 2,
      parameter: {
        placeholder: "FILE CAP",
        parse: parseText,
        brief: "The payload, then capability files to write with; one may be -",
      },
    },
  },
  docs: {
    brief: "Copy a payload into boxes of one or several streams",
    fullDescription: described(
      "Writes a payload of up to 83 MB (78 MB with CTIDH1024-X25519) into the next boxes of\n" +
        "every stream, by one copy command: a courier writes them after it has all parts, so\n" +
        "that watching you does not show which streams they are. Each box holds 4 bytes less\n" +
        "than one of katz write. To hand somebody a file, katz send is simpler and quicker.",
      ["katz copy news.html alice.write bob.write", "tar c docs | katz copy - backup.write"],
    ),
  },
});
