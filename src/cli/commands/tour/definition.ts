/** The definition of `katz tour`. */
import { buildCommand } from "@stricli/core";
import { described, outputFlags } from "../../flags.js";

/** `katz tour`. */
export const tour = buildCommand({
  loader: async () => (await import("./tour.js")).tour,
  parameters: { flags: outputFlags },
  docs: {
    brief: "Show what a thin client can do, in a few seconds",
    fullDescription: described(
      "Starts an embedded network and shows what a thin client can do with it: services,\n" +
        "messages, boxes, a copied file, a tombstone. Needs no setup and leaves no files.",
      ["katz tour", "katz tour --json"],
    ),
  },
});
