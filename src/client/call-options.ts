/** The options that every waiting call takes as its last argument, and how a wait ends early. */
import { describeType } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { type ComposedCall, beginMeasure, outcomeOf, type MeasureOptions } from "./metrics.js";
import type { Clock } from "../clock/clock.js";
import { onAbort } from "../clock/on-abort.js";
import { placeTimeout } from "../errors/call-site.js";
import { RequestTimeoutError } from "../errors/errors.js";

/** Options of every call that can wait. */
export interface CallOptions {
  /** Aborting this signal ends the wait: the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Longest wait in milliseconds; then the call rejects with `RequestTimeoutError`. Infinity means
   * no limit.
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * Checks a call's options.
 * @throws TypeError for an unknown option or one of the wrong type; RangeError for a `timeoutMs`
 * that is not a positive number.
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
 * @throws TypeError, RangeError naming `name`.
 */
export function checkDuration(name: string, value: number | undefined): void {
  if (value === undefined) return;
  const wanted = `\`${name}\` must be a positive number of milliseconds`;
  if (typeof value !== "number") throw new TypeError(`${wanted}, got ${describeType(value)}`);
  if (Number.isNaN(value) || value <= 0) throw new RangeError(`${wanted}, got ${value}`);
}

/** What keeps a call from its answer, for the error at its deadline. */
export interface Hindrance {
  /** A clause, such as `the daemon has no connection to the mixnet`. */
  readonly text: string;
  readonly cause?: Error | undefined;
}

/** Ends a wait at its deadline or when its signal is aborted, whichever comes first. */
export interface Deadline {
  /** Removes the timer and the listener. Idempotent. */
  dispose(): void;
}

/**
 * Calls `end` with the reason when `options.signal` is aborted or the time is over.
 * @param defaultTimeoutMs used if the options do not set a time; Infinity means no deadline.
 * @param hindrance what keeps the call from its answer, asked at the deadline; null if that is not
 * known.
 */
export function watchDeadline(
  clock: Clock,
  operation: string,
  options: CallOptions | undefined,
  defaultTimeoutMs: number,
  end: (reason: unknown) => void,
  hindrance: () => Hindrance | null = () => null,
): Deadline {
  const signal = options?.signal;
  const timeoutMs = options?.timeoutMs ?? defaultTimeoutMs;
  const timer = Number.isFinite(timeoutMs)
    ? clock.after(timeoutMs, () => {
        deadline.dispose();
        const found = hindrance();
        const why = found === null ? "" : `: ${found.text}`;
        const text = `${operation} was not answered within ${timeoutMs} ms${why}`;
        end(new RequestTimeoutError(text, { operation, cause: found?.cause }));
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

// Work that makes several requests under one signal and one deadline.

/** A signal that aborts together with an outer signal, or on its own. */
export interface SignalScope {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Stops listening to the outer signal. */
  leave(): void;
}

/** Makes a scope inside `outer`. */
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

/** What {@link runWithin} needs from a client. */
export interface CallContext {
  readonly options: MeasureOptions;
  readonly calls: { hindrance(isOperation: boolean): Hindrance | null };
}

/**
 * Runs `work` with a signal that aborts with the options' signal, or at their deadline with a
 * RequestTimeoutError. There is no default deadline. Like every request, `work` then rejects with
 * the signal's reason. The metrics hook is told how the work ended.
 * @param hindrance see {@link watchDeadline}.
 */
export async function runWithin<T>(
  { options: client, calls }: CallContext,
  operation: ComposedCall,
  options: CallOptions | undefined,
  work: (signal: AbortSignal) => Promise<T>,
  hindrance = (): Hindrance | null => calls.hindrance(true),
): Promise<T> {
  options?.signal?.throwIfAborted();
  const controller = new AbortController();
  const end = (reason: unknown): void => controller.abort(reason);
  const { clock } = client;
  const deadline = watchDeadline(clock, operation, options, Infinity, end, hindrance);
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
