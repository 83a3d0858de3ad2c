/** `katz help`: what `--help` shows. */
import { type StricliProcess, run } from "@stricli/core";

/** Shows the help of a command, or the list of all. */
export async function help(_flags: object, command?: string): Promise<void> {
  // Loaded here: the application knows this command.
  const { katz } = await import("../../app.js");
  const words = command === undefined ? [] : [command];
  await run(katz, [...words, "--help"], { process: process as StricliProcess });
}
