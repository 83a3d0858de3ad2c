/** How `katz authorities` is called. */
import { buildCommand } from "@stricli/core";
import { clientFlags, described } from "../../flags.js";

/** `katz authorities`. */
export const authorities = buildCommand({
  loader: async () => (await import("./authorities.js")).authorities,
  parameters: { flags: clientFlags },
  docs: {
    brief: "List the directory authorities that the daemon trusts",
    fullDescription: described(
      "Lists the directory authorities that the daemon is configured with: whose signatures\n" +
        "`katz pki --verify` asks for.",
      ["katz authorities", "katz authorities --json"],
    ),
  },
});
