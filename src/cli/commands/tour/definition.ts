/** How `katz tour` is called. */
import { buildCommand } from "@stricli/core";
import { described, outputFlags } from "../../flags.js";

/** `katz tour`. */
export const tour = buildCommand({
  loader: async () => (await import("./tour.js")).tour,
  parameters: { flags: outputFlags },
  docs: {
    brief: "See in a few seconds what a thin client can do",
    fullDescription: described(
      "Starts an embedded network and shows what a thin client can do with it: services,\n" +
        "messages, boxes, a copied file, a tombstone. Needs nothing and leaves nothing.",
      ["katz tour", "katz tour --json"],
    ),
  },
});
