/**
 * `katz completion`, which prints a shell's script, and `katz complete`, which the scripts call.
 */
import { type StricliProcess, proposeCompletions } from "@stricli/core";
import { completionScripts } from "./scripts.js";
import type { OutputFlags } from "../../output.js";

/** Prints the script of a shell; with `--json`, as a member of an object. */
export async function completion(
  flags: OutputFlags,
  shell: keyof typeof completionScripts,
): Promise<void> {
  // Loaded here, because `complete`, which a shell calls at every press of Tab, does not need it.
  const { runCommand } = await import("../../run.js");
  const { standardOutput } = await import("../../standard-output.js");
  await runCommand(flags, ({ output }) => {
    const script = completionScripts[shell];
    output.record({ type: "completion", shell, script });
    if (!output.json) standardOutput.write(script);
    return Promise.resolve();
  });
}

/**
 * Prints the candidates for the last word, one per line: the candidate, a tab and its description.
 */
export async function complete(_flags: object, ...words: readonly string[]): Promise<void> {
  // Loaded here, because the application imports this command.
  const { katz } = await import("../../app.js");
  const context = { process: process as StricliProcess };
  const proposals = await proposeCompletions(katz, words.length > 0 ? words : [""], context);
  const wantsFlags = words.at(-1)?.startsWith("-") ?? false;
  const seen = new Set<string>();
  for (const { kind, completion: candidate, brief } of proposals) {
    // Propose flags only after a dash; without one the user more likely wants a file name.
    if (seen.has(candidate) || (kind === "argument:flag" && !wantsFlags)) continue;
    seen.add(candidate);
    process.stdout.write(`${candidate}\t${brief}\n`);
  }
}
