/** `katz completion`, which prints a shell's script, and `katz complete`, which the scripts ask. */
import { type StricliProcess, proposeCompletions } from "@stricli/core";
import { completionScripts } from "./scripts.js";
import type { OutputFlags } from "../../output.js";

/** Prints the script of a shell; with `--json` as a member of an object. */
export async function completion(
  flags: OutputFlags,
  shell: keyof typeof completionScripts,
): Promise<void> {
  // Loaded here: `complete`, which a shell calls at every press of Tab, needs nothing of it.
  const { runCommand } = await import("../../run.js");
  const { standardOutput } = await import("../../standard-output.js");
  await runCommand(flags, ({ output }) => {
    const script = completionScripts[shell];
    output.record({ type: "completion", shell, script });
    if (!output.json) standardOutput.write(script);
    return Promise.resolve();
  });
}

/** Prints what could stand in place of the last word: a candidate, a tab and what it is, a line. */
export async function complete(_flags: object, ...words: readonly string[]): Promise<void> {
  // Loaded here: the application knows this command.
  const { katz } = await import("../../app.js");
  const context = { process: process as StricliProcess };
  const proposals = await proposeCompletions(katz, words.length > 0 ? words : [""], context);
  const wantsFlags = words.at(-1)?.startsWith("-") ?? false;
  const seen = new Set<string>();
  for (const { kind, completion: candidate, brief } of proposals) {
    // Flags only after a dash: without one, file names are more likely to be wanted.
    if (seen.has(candidate) || (kind === "argument:flag" && !wantsFlags)) continue;
    seen.add(candidate);
    process.stdout.write(`${candidate}\t${brief}\n`);
  }
}
