/** Dials that end, whoever wrote them. */
import { RequestTimeoutError } from "../errors/errors.js";
import type { Clock } from "../clock/clock.js";
import type { Transport } from "../transport/transport.js";
import { watchDeadline } from "./call-options.js";
import { scopeWithin } from "./run-within.js";

/**
 * Runs `dial` with a signal that is aborted with `signal`, or after `timeoutMs`. A dial that does
 * not look at it is left behind, and hung up on if it connects after all.
 * @throws RequestTimeoutError; the signal's reason; what `dial` throws.
 */
export async function dialInTime(
  dial: (signal: AbortSignal) => Promise<Transport>,
  clock: Clock,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Transport> {
  signal.throwIfAborted();
  const scope = scopeWithin(signal);
  let over = false;
  try {
    return await new Promise<Transport>((resolve, reject) => {
      const end = (reason: unknown): void => {
        over = true;
        scope.abort(reason);
        reject(reason);
      };
      const deadline = watchDeadline(clock, "start", { signal }, timeoutMs, (reason) =>
        end(reason instanceof RequestTimeoutError ? tooLate(reason, timeoutMs) : reason),
      );
      // One that throws at once is no other than one that rejects.
      void new Promise<Transport>((made) => made(dial(scope.signal)))
        .then((transport) => {
          if (over) transport.destroy();
          else resolve(transport);
        }, reject)
        .finally(() => deadline.dispose());
    });
  } finally {
    scope.leave();
  }
}

function tooLate(reason: RequestTimeoutError, timeoutMs: number): RequestTimeoutError {
  const text = `no connection to the daemon within ${timeoutMs} ms`;
  return new RequestTimeoutError(text, { operation: "start", cause: reason });
}
