/** Warnings about faults that nobody listens to. */
import { isThinClientError } from "../errors/errors.js";

/**
 * Returns an `onFault` that warns about unexpected faults, once for each text. It ignores our own
 * errors, which report a peer's mistake or a fault injected on purpose and are expected in tests.
 */
export function warnOfFaults(): (error: Error) => void {
  const said = new Set<string>();
  return (error) => {
    if (isThinClientError(error) || said.has(error.message)) return;
    said.add(error.message);
    const detail = error.stack === undefined ? {} : { detail: error.stack };
    process.emitWarning(`internal failure of the embedded network: ${error.message}`, {
      type: "DevDaemonFault",
      ...detail,
    });
  };
}
