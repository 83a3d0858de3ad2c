/** Dials with a time limit. */
import { checkOptions } from "../bytes/options.js";
import { onAbort } from "../clock/on-abort.js";
import { realClock } from "../clock/real.js";
import { RequestTimeoutError } from "../errors/errors.js";
import { DIAL_TIMEOUT_MS } from "./limits.js";

/** Options of every `dial`. */
export interface DialCallOptions {
  /** An abort rejects with the signal's reason and leaves no socket open. */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait in ms; then RequestTimeoutError. Default 30,000; Infinity means no limit. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Runs `dial` with a signal that follows the caller's signal and the time limit.
 * @throws TypeError for an unknown option, RangeError for a `timeoutMs` that is not positive;
 * RequestTimeoutError; the signal's reason; what `dial` throws.
 */
export async function dialWithin<T>(
  options: DialCallOptions,
  dial: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  checkDialOptions(options);
  const { signal, timeoutMs = DIAL_TIMEOUT_MS } = options;
  if (timeoutMs === Infinity) return dial(signal);
  signal?.throwIfAborted();
  const controller = new AbortController();
  const leave = signal && onAbort(signal, () => controller.abort(signal.reason));
  const timer = realClock.after(timeoutMs, () =>
    controller.abort(
      new RequestTimeoutError(`no connection within ${timeoutMs} ms`, { operation: "dial" }),
    ),
  );
  try {
    return await dial(controller.signal);
  } finally {
    timer.cancel();
    leave?.();
  }
}

function checkDialOptions(options: DialCallOptions): void {
  checkOptions("options", options, ["signal", "timeoutMs"]);
  const { timeoutMs } = options;
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs > 0)) {
    throw new RangeError(`\`timeoutMs\` must be a positive number of ms, got ${timeoutMs}`);
  }
}
