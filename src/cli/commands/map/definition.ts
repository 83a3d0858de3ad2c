/** The definition of `katz map`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described, parseText } from "../../flags.js";

/** `katz map`. */
export const map = buildCommand({
  loader: async () => (await import("./map.js")).map,
  parameters: {
    flags: {
      output: {
        kind: "parsed",
        parse: parseText,
        optional: true,
        placeholder: "FILE",
        brief: "Write an SVG picture (-: standard output)",
      },
      ...clientFlags,
    },
    aliases: { o: "output" },
  },
  docs: {
    brief: "Draw the network: layers, gateways, services, replicas",
    fullDescription: described(
      "Shows the topology of the current PKI document as text, or draws it as an SVG picture.",
      ["katz map", "katz map -o map.svg", "katz map -o - | rsvg-convert > map.png"],
    ),
  },
});
