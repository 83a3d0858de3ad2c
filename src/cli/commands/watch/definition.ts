/** The definition of `katz watch`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseCount } from "../../flags.js";

/** `katz watch`. */
export const watch = buildCommand({
  loader: async () => (await import("./watch.js")).watch,
  parameters: {
    flags: {
      count: {
        kind: "parsed",
        parse: parseCount(1, 1_000_000_000),
        optional: true,
        placeholder: "N",
        brief: "Number of events (default: until Ctrl-C)",
      },
      ...clientFlags,
    },
    aliases: { n: "count" },
  },
  docs: {
    brief: "Print the daemon's events as they arrive",
    fullDescription: described(
      "Prints connection status, new PKI documents, lost connections and reconnects as they\n" +
        "happen. If the daemon goes away, waits for its return.",
      ["katz watch", "katz watch --json | jq .event"],
    ),
  },
});
