/** The frame of a command: output, signals, errors and exit codes. */
import { Interrupts } from "./interrupt.js";
import { Output, type OutputFlags } from "./output.js";

/** What a command gets. */
export interface Run {
  readonly output: Output;
  /** Aborted by Ctrl-C, SIGTERM or SIGHUP; a second one ends the process at once. */
  readonly signal: AbortSignal;
}

/**
 * Runs a command's work. An error is reported on standard error and becomes the exit code. If the
 * work throws after a signal, it ends silently with the signal's code.
 */
export async function runCommand(
  flags: OutputFlags,
  work: (run: Run) => Promise<void>,
): Promise<void> {
  const output = new Output(flags);
  using interrupts = new Interrupts();
  try {
    await work({ output, signal: interrupts.signal });
  } catch (error) {
    const { signal } = interrupts;
    process.exitCode = output.error(signal.aborted ? signal.reason : error);
  }
}
