/** The definition of `katz ping`. */
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
        brief: "Number of messages (default: until Ctrl-C)",
      },
      interval: {
        kind: "parsed",
        parse: parseTime,
        default: "1s",
        placeholder: "TIME",
        brief: "Minimum time between two messages",
      },
      window: {
        kind: "parsed",
        parse: parseCount(1, 1000),
        default: "1",
        placeholder: "N",
        brief: "Maximum number of messages in flight",
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
          brief: "A service that echoes messages",
        },
      ],
    },
  },
  docs: {
    brief: "Measure round trips to a service",
    fullDescription: described(
      "Sends messages to a service through the mixnet and measures how long their replies\n" +
        "take. At the end: loss, min/avg/max/mdev and a histogram. Fails if no reply arrives.\n" +
        "Each message waits for the reply to the one before, unless --window allows more in\n" +
        "flight: then the times include the queue of the daemon.",
      ["katz ping -n 5", "katz ping -n 100 -i 50ms --json", "katz ping testdest --timeout 10s"],
    ),
  },
});
