/** The definition of `katz playground`. */
import { buildCommand } from "@stricli/core";
import { described, outputFlags, parseCount } from "../../flags.js";

/** `katz playground`. */
export const playground = buildCommand({
  loader: async () => (await import("./playground.js")).playground,
  parameters: {
    flags: {
      port: {
        kind: "parsed",
        parse: parseCount(0, 65_535),
        optional: true,
        placeholder: "N",
        brief: "Port of the page on 127.0.0.1 (a free one)",
      },
      ...outputFlags,
    },
  },
  docs: {
    brief: "Change and run the guide's examples in a page",
    fullDescription: described(
      "Serves a page on 127.0.0.1 with the examples of the guide. They run on a whole network\n" +
        "inside the page, in your browser; nothing leaves it. Prints the page's address; Ctrl-C\n" +
        "ends it.",
      ["katz playground", "katz playground --port 8080"],
    ),
  },
});
