/** What every call that can wait takes last, and how waiting ends early. */
import { describeType } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { type ComposedCall, beginMeasure, outcomeOf, type MeasureOptions } from "./metrics.js";
import type { Clock } from "../clock/clock.js";
import { onAbort } from "../clock/on-abort.js";
import { placeTimeout } from "../errors/call-site.js";
import { RequestTimeoutError } from "../errors/errors.js";

/** Options of every call that can wait. */
export interface CallOptions {
  /** Aborting ends the wait: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Longest wait in milliseconds; the call then rejects with `RequestTimeoutError`. Infinity: none.
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * Checks a call's options.
 * @throws TypeError for an option that is not known, or of the wrong type; RangeError for a
 * `timeoutMs` that is not a positive number.
 */
export function checkCallOptions(
  options: CallOptions | undefined,
  ...more: readonly string[]
): void {
  if (options === undefined) return;
  checkOptions("options", options, ["signal", "timeoutMs", ...more]);
  checkDuration("options.timeoutMs", options.timeoutMs);
  const { signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw new TypeError(`\`options.signal\` must be an AbortSignal, got ${describeType(signal)}`);
  }
}

/**
 * Checks a duration in milliseconds; undefined passes.
 * @throws RangeError naming `name`.
 */
export function checkDuration(name: string, value: number | undefined): void {
  if (value === undefined) return;
  if (typeof value !== "number" || Number.isNaN(value) || value <= 0) {
    throw new RangeError(`\`${name}\` must be a positive number of milliseconds, got ${value}`);
  }
}

/** Ends a wait at its deadline or when its signal is aborted, whichever is first. */
export interface Deadline {
  /** Removes timer and listener. Idempotent. */
  dispose(): void;
}

/**
 * Calls `end` with the reason when `options.signal` is aborted or the time is over.
 * @param defaultTimeoutMs used where the options name no time; Infinity is no deadline.
 */
export function watchDeadline(
  clock: Clock,
  operation: string,
  options: CallOptions | undefined,
  defaultTimeoutMs: number,
  end: (reason: unknown) => void,
): Deadline {
  const signal = options?.signal;
  const timeoutMs = options?.timeoutMs ?? defaultTimeoutMs;
  const timer = Number.isFinite(timeoutMs)
    ? clock.after(timeoutMs, () => {
        deadline.dispose();
        const text = `${operation} was not answered within ${timeoutMs} ms`;
        end(new RequestTimeoutError(text, { operation }));
      })
    : null;
  const leave = signal
    ? onAbort(signal, () => {
        deadline.dispose();
        end(signal.reason);
      })
    : null;
  const deadline = {
    dispose(): void {
      timer?.cancel();
      leave?.();
    },
  };
  return deadline;
}

// Work of several requests under one signal and one deadline.

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
  const ended = beginMeasure(client, operation);
  try {
    const result = await work(controller.signal);
    ended?.("ok");
    return result;
  } catch (error) {
    ended?.(outcomeOf(error, options?.signal));
    placeTimeout(error, runWithin);
    throw error;
  } finally {
    deadline.dispose();
  }
}
