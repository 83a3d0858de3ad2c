/** The definition of `katz completion`. */
import { buildCommand } from "@stricli/core";
import { described, outputFlags } from "../../flags.js";

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

function parseShell(text: string): Shell {
  const shell = shells.find((name) => name === text);
  if (shell === undefined) throw new Error("must be bash, zsh or fish");
  return shell;
}

/** `katz completion`. */
export const completion = buildCommand({
  loader: async () => (await import("./completion.js")).completion,
  parameters: {
    flags: outputFlags,
    positional: {
      kind: "tuple",
      parameters: [
        {
          placeholder: "SHELL",
          parse: parseShell,
          proposeCompletions: () => shells,
          brief: "bash, zsh or fish",
        },
      ],
    },
  },
  docs: {
    brief: "Print a script that completes commands and flags",
    fullDescription: described("Prints a completion script for your shell.", [
      "source <(katz completion bash)",
      "source <(katz completion zsh)",
      "katz completion fish | source",
    ]),
  },
});

/** `katz complete -- WORD…`, hidden: the scripts call it. */
export const complete = buildCommand({
  loader: async () => (await import("./completion.js")).complete,
  parameters: {
    positional: {
      kind: "array",
      parameter: { placeholder: "WORD", parse: String, brief: "The words so far" },
    },
  },
  docs: { brief: "Propose candidates for the last word" },
});
