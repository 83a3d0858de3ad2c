/** Work of several requests under one signal and one deadline. */
import { type CallOptions, watchDeadline } from "./call-options.js";
import { type ComposedCall, type MeasureOptions, measureCall } from "./metrics.js";
import { onAbort } from "../clock/on-abort.js";

/** A signal that is aborted with another one, or by itself. */
export interface SignalScope {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Lets go of the outer signal. */
  leave(): void;
}

/** A scope inside `outer`. */
export function scopeWithin(outer: AbortSignal): SignalScope {
  const controller = new AbortController();
  const follow = (): void => controller.abort(outer.reason);
  if (outer.aborted) follow();
  const leave = onAbort(outer, follow);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    leave,
  };
}

/**
 * Runs `work` with a signal that is aborted by the options' signal, or by their deadline with a
 * RequestTimeoutError; there is no deadline where they name none. `work` rejects with the signal's
 * reason then, as every request does. The metrics hook is told how it ended.
 */
export async function runWithin<T>(
  client: MeasureOptions,
  operation: ComposedCall,
  options: CallOptions | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  options?.signal?.throwIfAborted();
  const controller = new AbortController();
  const deadline = watchDeadline(client.clock, operation, options, Infinity, (reason) =>
    controller.abort(reason),
  );
  try {
    return await measureCall(client, operation, options?.signal, () => work(controller.signal));
  } finally {
    deadline.dispose();
  }
}
