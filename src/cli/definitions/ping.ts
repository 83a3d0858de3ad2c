/** How `katz ping` is called. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseCount, parseText, parseTime } from "../flags.js";

/** `katz ping`. */
export const ping = buildCommand({
  loader: async () => (await import("../commands/ping.js")).ping,
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
        brief: "Between two messages",
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
        "take. At the end: loss, min/avg/max/mdev and a histogram. Fails when no reply came.",
      ["katz ping -n 5", "katz ping -n 100 -i 50ms --json", "katz ping testdest --timeout 10s"],
    ),
  },
});
