/** The definition of `katz console`. */
import { buildCommand } from "@stricli/core";
import {
  described,
  outputFlags,
  parseCount,
  parseEpoch,
  parseText,
  proposeAddresses,
} from "../../flags.js";

/** `katz console`. */
export const console = buildCommand({
  loader: async () => (await import("./console.js")).consoleCommand,
  parameters: {
    flags: {
      address: {
        kind: "parsed",
        parse: parseText,
        proposeCompletions: proposeAddresses,
        optional: true,
        placeholder: "ADDR",
        brief: "Watch this daemon instead of an embedded one",
      },
      config: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Watch the daemon of this thinclient.toml",
      },
      join: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Join the real network of this client.toml",
      },
      open: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Open the page in your browser",
      },
      port: {
        kind: "parsed",
        parse: parseCount(0, 65_535),
        optional: true,
        placeholder: "N",
        brief: "Port of the page on 127.0.0.1 (a free one)",
      },
      listen: {
        kind: "parsed",
        parse: parseText,
        proposeCompletions: proposeAddresses,
        variadic: true,
        optional: true,
        placeholder: "ADDR",
        brief: "Where programs reach the daemon that it starts",
      },
      mixing: {
        kind: "enum",
        values: ["realistic", "sphinx", "instant"],
        optional: true,
        placeholder: "HOW",
        brief: "How packets travel: realistic, sphinx, instant",
      },
      epoch: {
        kind: "parsed",
        parse: parseEpoch,
        optional: true,
        placeholder: "TIME",
        brief: "Length of an epoch, at least 1s (20m)",
      },
      seed: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "TEXT",
        brief: "Same seed, same keys and topology",
      },
      virtual: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "A clock that stands still until you move it",
      },
      ...outputFlags,
    },
  },
  docs: {
    brief: "Watch the network and your program in a page",
    fullDescription: described(
      "Serves a page on 127.0.0.1 that shows what a mixnet does: packets on their way, what your\n" +
        "calls wait for, boxes, documents and faults. Prints its address, which contains a\n" +
        "secret; Ctrl-C ends it.\n\n" +
        "Without --address, --config or --join it starts an embedded network with a daemon, which\n" +
        "your program can use meanwhile, and everything can be seen. For another daemon it shows\n" +
        "what its clients can know, and marks the rest as unknown.",
      [
        "katz console --open",
        "katz console --address unix:/run/user/1000/katzenpost/katz.sock",
        "katz console --join client.toml",
        "katz console --virtual --seed demo",
      ],
    ),
  },
});
