/** What is said of faults when nobody listens to them. */
import { isThinClientError } from "../errors/errors.js";

/**
 * An `onFault` that warns of what nobody foresaw, once for each text. What a peer did wrong, or a
 * network that is made to fail, is an error of ours and expected in tests: it says nothing of
 * those.
 */
export function warnOfFaults(): (error: Error) => void {
  const said = new Set<string>();
  return (error) => {
    if (isThinClientError(error) || said.has(error.message)) return;
    said.add(error.message);
    const detail = error.stack === undefined ? {} : { detail: error.stack };
    process.emitWarning(`the embedded network failed inside: ${error.message}`, {
      type: "DevDaemonFault",
      ...detail,
    });
  };
}
