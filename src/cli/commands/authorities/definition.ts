/** The definition of `katz authorities`. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described } from "../../flags.js";

/** `katz authorities`. */
export const authorities = buildCommand({
  loader: async () => (await import("./authorities.js")).authorities,
  parameters: { flags: clientFlags },
  docs: {
    brief: "List the directory authorities that the daemon trusts",
    fullDescription: described(
      "Lists the directory authorities in the daemon's configuration. `katz pki --verify`\n" +
        "checks their signatures.",
      ["katz authorities", "katz authorities --json"],
    ),
  },
});
