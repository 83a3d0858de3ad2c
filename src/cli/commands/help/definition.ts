/** The definition of `katz help`. */
import { buildCommand } from "@stricli/core";
import { described, parseText } from "../../flags.js";

/** `katz help`. */
export const help = buildCommand({
  loader: async () => (await import("./help.js")).help,
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [
        {
          placeholder: "COMMAND",
          parse: parseText,
          proposeCompletions: async () => {
            const { commandNames } = await import("../../app.js");
            return commandNames;
          },
          optional: true,
          brief: "Command (default: list all commands)",
        },
        {
          placeholder: "SUBCOMMAND",
          parse: parseText,
          optional: true,
          brief: "A subcommand, if the command has any",
        },
      ],
    },
  },
  docs: {
    brief: "Show the help of a command, like its --help",
    fullDescription: described("Shows the help of a command, or lists all commands.", [
      "katz help",
      "katz help ping",
      "katz help channel send",
    ]),
  },
});
