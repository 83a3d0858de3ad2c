/** How `katz ping` is called. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseCount, parseText, parseTime } from "../../flags.js";

/** `katz ping`. */
export const ping = buildCommand({
  loader: async () => (await import("./ping.js")).ping,
  parameters: {
    flags: {
      count: {
        kind: "parsed",
        parse: parseCount(1, 1_000_000),
        optional: true,
        placeholder: "N",
        brief: "How many messages; without it, until Ctrl-C",
      },
      interval: {
        kind: "parsed",
        parse: parseTime,
        default: "1s",
        placeholder: "TIME",
        brief: "Least time between two messages",
      },
      window: {
        kind: "parsed",
        parse: parseCount(1, 1000),
        default: "1",
        placeholder: "N",
        brief: "Most messages on their way at once",
      },
      ...clientFlags,
    },
    aliases: { n: "count", i: "interval" },
    positional: {
      kind: "tuple",
      parameters: [
        {
          placeholder: "SERVICE",
          parse: parseText,
          proposeCompletions: () => ["echo"],
          default: "echo",
          brief: "A service that sends back what it gets",
        },
      ],
    },
  },
  docs: {
    brief: "Measure the way to a service and back",
    fullDescription: described(
      "Sends messages to a service through the mixnet and measures how long their replies\n" +
        "take. At the end: loss, min/avg/max/mdev and a histogram. Fails when no reply came.\n" +
        "The next message waits for the reply to the one before, unless --window allows more\n" +
        "at once: then what is measured has the queue of the daemon in it.",
      ["katz ping -n 5", "katz ping -n 100 -i 50ms --json", "katz ping testdest --timeout 10s"],
    ),
  },
});
