/** Work before a daemon is looked for, so that mistakes are reported first. */
import type { OutputFlags } from "./output.js";
import { type Run, runCommand } from "./run.js";

/**
 * The result of `work`. If it fails, the error is reported, the exit code is set, and the result is
 * null.
 */
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
