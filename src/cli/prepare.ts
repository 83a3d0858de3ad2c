/** What is prepared before a daemon is looked for, so that mistakes are told first. */
import type { OutputFlags } from "./output.js";
import { type Run, runCommand } from "./run.js";

/** What `work` gives; null when it failed, which was then told and set the exit code. */
export async function prepare<T>(
  flags: OutputFlags,
  work: (run: Run) => Promise<T>,
): Promise<T | null> {
  let prepared: { readonly value: T } | null = null;
  await runCommand(flags, async (run) => {
    prepared = { value: await work(run) };
  });
  return (prepared as { readonly value: T } | null)?.value ?? null;
}
