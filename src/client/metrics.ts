/** What the client measures of itself, handed to one hook. */
import type { Clock } from "../clock/clock.js";
import { RequestTimeoutError, hasCode, isThinClientError } from "../errors/errors.js";

/** How a call ended, see {@link Metric}. */
export type RequestOutcome = "ok" | "refused" | "error" | "timeout" | "aborted";

/** One measurement. Names and labels are stable; none of them says whose or what. */
export type Metric =
  /** A call began. */
  | {
      /** Once for each `request` that will follow, when it is made. */
      readonly name: "begin";
      /** Which call it is, the same number as in its `request`; counted in each process. */
      readonly call: number;
      /** Name of the call, as in its `request`. */
      readonly operation: string;
    }
  /** A call ended. */
  | {
      /**
       * Once for each call that asks the daemon for something, or sends a message. Calls that make
       * several requests (`read`, `write`, `tombstone`, `tombstoneRange`, `copy`) count once, too,
       * when they end; their requests count beside them under their own names.
       */
      readonly name: "request";
      /** Which call it is, the same number as in its `begin`; counted in each process. */
      readonly call: number;
      /**
       * Name of the call, e.g. `read`; of a request inside one, e.g. `encryptRead`, which is also
       * what that counts as when the application calls it.
       */
      readonly operation: string;
      /**
       * `ok`: it succeeded; `refused`: an error code came back, an empty box that was asked for
       * among them; `timeout`: the deadline passed; `aborted`: the signal was, or the call around
       * it had its own reason; `error`: anything else, such as a client that was closed.
       */
      readonly outcome: RequestOutcome;
      /** From the call to its end, reconnects included. */
      readonly durationMs: number;
    }
  /** What waits, each time a call is made or ends. */
  | {
      /** Twice for each request: after it was made, and after it ended. */
      readonly name: "calls";
      /** Requests that the daemon has, as in `client.load`. */
      readonly inFlight: number;
      /** Requests that wait for a place or the connection, as in `client.load`. */
      readonly queued: number;
    }
  /** The connection to the daemon is there again. */
  | {
      /** Once for each loss that was made good, when the new handshake is finished. */
      readonly name: "reconnect";
      /** Whether the daemon still had the session, and the replies it kept for it. */
      readonly resumed: boolean;
      /** From the loss to the new handshake's end, in milliseconds. */
      readonly downMs: number;
    };

/**
 * Calls that make several requests. Their errors name the call; each request is measured by itself.
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
 * The name that a request is measured by: that of the public call, or the request's own where the
 * call makes several. Else a read that waits would count as one that ended when it is sealed.
 */
export function requestName(kind: string, operation: string): string {
  return composedCalls.has(operation) ? kind : operation;
}

/** What measuring needs of the client's options. */
export interface MeasureOptions {
  readonly clock: Clock;
  /** Null: nobody wants to know. */
  readonly metrics: MetricsHook | null;
}

let calls = 0;

/** Begins to measure a call: the function given tells how it ended; null when nobody wants to know. */
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

/** Runs `work` and tells how it ended. */
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

/** Takes measurements; must not throw and should not take long. */
export type MetricsHook = (metric: Metric) => void;

/** How a request ended that was replied to. */
export function outcomeOfReply(reply: object): RequestOutcome {
  return "errorCode" in reply && reply.errorCode !== 0 ? "refused" : "ok";
}

/** How a request ended, from what it rejected with. */
export function outcomeOf(reason: unknown, signal: AbortSignal | undefined): RequestOutcome {
  // First, since the deadline of a call aborts what it asks for with this error.
  if (reason instanceof RequestTimeoutError) return "timeout";
  if (signal?.aborted && reason === signal.reason) return "aborted";
  if (!isThinClientError(reason) || hasCode(reason, "THIN_CLIENT_ERROR_CONNECTION_LOST")) {
    return "error";
  }
  return reason.errorCode === null ? "error" : "refused";
}
