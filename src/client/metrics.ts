/** What the client measures about itself and passes to one hook. */
import type { Clock } from "../clock/clock.js";
import { RequestTimeoutError, hasCode, isThinClientError } from "../errors/errors.js";

/** How a call ended, see {@link Metric}. */
export type RequestOutcome = "ok" | "refused" | "error" | "timeout" | "aborted";

/** One measurement. Names and labels are stable; none of them identifies a user or any content. */
export type Metric =
  /** A call began. */
  | {
      /** Reported once for each later `request`, when it is made. */
      readonly name: "begin";
      /** The number of the call, the same as in its `request`; counted per process. */
      readonly call: number;
      /** Name of the call, as in its `request`. */
      readonly operation: string;
    }
  /** A call ended. */
  | {
      /**
       * Reported once for each call that asks the daemon for something or sends a message. Calls
       * that make several requests (`read`, `write`, `tombstone`, `tombstoneRange`, `copy`) are
       * also reported once, when they end; each of their requests is reported under its own name.
       */
      readonly name: "request";
      /** The number of the call, the same as in its `begin`; counted per process. */
      readonly call: number;
      /**
       * Name of the call, e.g. `read`. A request inside a call is reported under the name of the
       * public call that makes the same request, e.g. `encryptRead`.
       */
      readonly operation: string;
      /**
       * `ok`: it succeeded; `refused`: an error code came back, which includes an empty box that
       * was asked for; `timeout`: the deadline passed; `aborted`: the signal was aborted, or the
       * surrounding call ended for its own reason; `error`: anything else, such as a closed client.
       */
      readonly outcome: RequestOutcome;
      /** From the call to its end, in milliseconds, including reconnects. */
      readonly durationMs: number;
    }
  /** The numbers of waiting requests, each time a call is made or ends. */
  | {
      /** Reported twice for each request: after it was made and after it ended. */
      readonly name: "calls";
      /** Requests that the daemon has, as in `client.load`. */
      readonly inFlight: number;
      /** Requests that wait for a place or the connection, as in `client.load`. */
      readonly queued: number;
    }
  /** The connection to the daemon was made again. */
  | {
      /** Reported once for each loss that was recovered, when the new handshake has finished. */
      readonly name: "reconnect";
      /** Whether the daemon still had the session and the replies it kept for it. */
      readonly resumed: boolean;
      /** From the loss to the end of the new handshake, in milliseconds. */
      readonly downMs: number;
    };

/**
 * Calls that make several requests. Their errors name the call; each request is measured
 * separately.
 */
export type ComposedCall = "read" | "write" | "tombstone" | "tombstoneRange" | "copy";

const composedCalls: ReadonlySet<string> = new Set<ComposedCall>([
  "read",
  "write",
  "tombstone",
  "tombstoneRange",
  "copy",
]);

/**
 * The name under which a request is measured: that of the public call, or the request's own name if
 * the call makes several. Otherwise a waiting read would be counted as ended as soon as it is
 * sealed.
 */
export function requestName(kind: string, operation: string): string {
  return composedCalls.has(operation) ? kind : operation;
}

/** The client options that measuring needs. */
export interface MeasureOptions {
  readonly clock: Clock;
  /** Null if the application set no hook. */
  readonly metrics: MetricsHook | null;
}

let calls = 0;

/**
 * Starts to measure a call. The returned function reports how it ended; it is null without a hook.
 */
export function beginMeasure(
  { clock, metrics }: MeasureOptions,
  operation: string,
): ((outcome: RequestOutcome) => void) | null {
  if (!metrics) return null;
  const start = clock.monotonic();
  const call = ++calls;
  metrics({ name: "begin", call, operation });
  return (outcome) =>
    metrics({
      name: "request",
      call,
      operation,
      outcome,
      durationMs: clock.monotonic() - start,
    });
}

/** Runs `work` and reports how it ended. */
export async function measureCall<T>(
  options: MeasureOptions,
  operation: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const ended = beginMeasure(options, operation);
  if (!ended) return work();
  try {
    const result = await work();
    ended("ok");
    return result;
  } catch (error) {
    ended(outcomeOf(error, signal));
    throw error;
  }
}

/** Receives measurements. It must not throw and should return quickly. */
export type MetricsHook = (metric: Metric) => void;

/** The outcome of a request that got this reply. */
export function outcomeOfReply(reply: object): RequestOutcome {
  return "errorCode" in reply && reply.errorCode !== 0 ? "refused" : "ok";
}

/** The outcome of a request that rejected with `reason`. */
export function outcomeOf(reason: unknown, signal: AbortSignal | undefined): RequestOutcome {
  // Checked first, because the deadline of a call aborts its requests with this error.
  if (reason instanceof RequestTimeoutError) return "timeout";
  if (signal?.aborted && reason === signal.reason) return "aborted";
  if (!isThinClientError(reason) || hasCode(reason, "THIN_CLIENT_ERROR_CONNECTION_LOST")) {
    return "error";
  }
  return reason.errorCode === null ? "error" : "refused";
}
