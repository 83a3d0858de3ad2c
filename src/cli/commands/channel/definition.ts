/** The definitions of `katz channel` and its subcommands. */
import { buildCommand, buildRouteMap } from "@stricli/core";
import { as, store } from "../../channel-flags.js";
import { clientFlags, described, outputFlags, parseCount, parseText } from "../../flags.js";

const nameOf = (brief: string) => ({ placeholder: "NAME", parse: parseText, brief }) as const;

const create = buildCommand({
  loader: async () => (await import("./create.js")).create,
  parameters: {
    flags: {
      output: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Write the capability for readers, a secret, to FILE",
      },
      store,
      ...clientFlags,
    },
    aliases: { o: "output" },
    positional: { kind: "tuple", parameters: [nameOf("Your name for the channel")] },
  },
  docs: {
    brief: "Create a channel to send on",
    fullDescription: described(
      "Creates a channel that you send on and others read. With -o it writes the capability to\n" +
        "read it to a file that only you can read: hand it over in private. To talk in both\n" +
        "directions, use invite and accept.",
      ["katz channel create news -o news.read", "katz channel create diary"],
    ),
  },
});

const send = buildCommand({
  loader: async () => (await import("./send.js")).send,
  parameters: {
    flags: {
      queue: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Exit when the message is on disk, before it is stored",
      },
      store,
      ...clientFlags,
    },
    positional: {
      kind: "tuple",
      parameters: [
        nameOf("A channel to send on, or a contact"),
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
    brief: "Send a message on a channel, or to a contact",
    fullDescription: described(
      "Sends a file or standard input as one message, and waits until the network's replicas\n" +
        "have stored it. The message is on disk before it leaves. If you interrupt the command,\n" +
        "the next command on the same store sends the rest. Do not send the message again.",
      ["echo hello | katz channel send news", "katz channel send bob picture.jpg --queue"],
    ),
  },
});

const read = buildCommand({
  loader: async () => (await import("./read.js")).read,
  parameters: {
    flags: {
      count: {
        kind: "parsed",
        parse: parseCount(1, Number.MAX_SAFE_INTEGER),
        default: "1",
        placeholder: "N",
        brief: "Number of messages",
      },
      import: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "CAP",
        brief: "Read the channel of this capability file (-: stdin)",
      },
      keep: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Do not mark as read: the same messages are read again",
      },
      store,
      ...clientFlags,
    },
    aliases: { n: "count" },
    positional: { kind: "tuple", parameters: [nameOf("A channel for reading, or a contact")] },
  },
  docs: {
    brief: "Read messages of a channel, or of a contact",
    fullDescription: described(
      "Writes the next messages to standard output and waits for messages that do not exist\n" +
        "yet, each for at most --timeout. Printed messages are marked as read. The first time,\n" +
        "pass the capability with --import. A pipe gets the unchanged bytes; on a terminal,\n" +
        "control characters are escaped.",
      [
        "katz channel read news --import news.read",
        "katz channel read bob -n 3 --json",
        "katz channel read bob --timeout 1m",
      ],
    ),
  },
});

const list = buildCommand({
  loader: async () => (await import("./list.js")).list,
  parameters: { flags: { store, ...outputFlags } },
  docs: {
    brief: "List contacts, groups and channels",
    fullDescription: described("Lists the content of the store. Does not need a daemon.", [
      "katz channel list",
      "katz channel list --json",
    ]),
  },
});

const invite = buildCommand({
  loader: async () => (await import("./invite.js")).invite,
  parameters: {
    flags: { as, store, ...clientFlags },
    positional: { kind: "tuple", parameters: [nameOf("Your name for the other side")] },
  },
  docs: {
    brief: "Make a voucher for a new contact, and wait for the answer",
    fullDescription: described(
      "Prints a voucher, a secret to hand over in private, and waits until the other side has\n" +
        "answered it with accept. After Ctrl-C the same command prints it again and continues.",
      ["katz channel invite bob --as alice", "katz channel invite bob --json"],
    ),
  },
});

const accept = buildCommand({
  loader: async () => (await import("./accept.js")).accept,
  parameters: {
    flags: { as, store, ...clientFlags },
    positional: {
      kind: "tuple",
      parameters: [
        nameOf("Your name for the other side"),
        {
          placeholder: "FILE",
          parse: parseText,
          brief: "A file with the voucher, or - for standard input",
        },
      ],
    },
  },
  docs: {
    brief: "Answer a voucher, so that its maker becomes a contact",
    fullDescription: described(
      "Answers a voucher that somebody made with invite. After Ctrl-C the same command\ncontinues.",
      [
        "katz channel accept alice voucher --as bob",
        "pass show alice | katz channel accept alice -",
      ],
    ),
  },
});

const cancel = buildCommand({
  loader: async () => (await import("./cancel.js")).cancel,
  parameters: {
    flags: { store, ...clientFlags },
    positional: { kind: "tuple", parameters: [nameOf("A contact that waits, or that failed")] },
  },
  docs: {
    brief: "Withdraw a voucher that was not answered",
    fullDescription: described(
      "Removes a contact that waits for the other side, or that failed, and deletes its voucher\n" +
        "at the network's replicas, so that nobody can answer it. Its name is free again.",
      ["katz channel cancel bob"],
    ),
  },
});

/** `katz channel`. */
export const channel = buildRouteMap({
  routes: { create, send, read, list, invite, accept, cancel },
  docs: {
    brief: "Send and read messages that survive crashes",
    fullDescription: described(
      "Channels keep messages on disk until the network's replicas have stored them, in order,\n" +
        "each exactly once. Only one command at a time can use a store.",
      [
        "katz channel create news -o news.read",
        "echo hello | katz channel send news",
        "katz channel read news --import news.read",
      ],
    ),
  },
});
