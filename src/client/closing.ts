/** How a client ends. */
import { checkOptions } from "../bytes/options.js";
import { checkDuration } from "./call-options.js";

/** How long `stop` and `disconnect` wait for messages where nobody says, in ms. */
const DRAIN_MS = 5000;

/** Options of `stop` and `disconnect`. */
export interface ClosingOptions {
  /**
   * How long to wait, in milliseconds, for messages that were handed to the daemon and have not
   * left; default 5,000, `false` or 0: not at all. A daemon lets a client's packets out one by one,
   * about one a second on a real network, and forgets those that wait when the connection ends. It
   * tells when a message with a reply block has left (`messageSent`), which ends the wait; those
   * that have not left in the end are told as `messageSent` with an `err`. Of a message without
   * reply block nothing is known: if it must leave, give it time, or a reply block. Calls that wait
   * for their own answer (`blockingSendMessage`, `read`, `write`, `copy`) are not waited for: they
   * reject.
   */
  readonly drain?: number | false | undefined;
}

/** How long to wait, in milliseconds; 0: not at all. @throws TypeError, RangeError. */
export function drainOf(options: ClosingOptions = {}): number {
  checkOptions("options", options, ["drain"]);
  const { drain = DRAIN_MS } = options;
  if (drain === false || drain === 0) return 0;
  checkDuration("options.drain", drain);
  return drain;
}
