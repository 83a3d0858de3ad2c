/** What the client measures of itself, handed to one hook. */
import { RequestTimeoutError } from "../errors/errors.js";

/** How a request to the daemon ended, see {@link Metric}. */
export type RequestOutcome = "ok" | "refused" | "error" | "timeout" | "aborted";

/** One measurement. Names and labels are stable; none of them says whose or what. */
export type Metric =
  /** A call ended. */
  | {
      /** Once for each request to the daemon: `read` makes two, and more when it seals anew. */
      readonly name: "request";
      /** Name of the public call, e.g. `encryptRead`. */
      readonly operation: string;
      /**
       * `ok`: the daemon replied with success; `refused`: with an error code, an empty box that was
       * asked for among them; `timeout`: the deadline passed; `aborted`: the signal was; `error`:
       * anything else, such as a client that was closed.
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

/** Takes measurements; must not throw and should not take long. */
export type MetricsHook = (metric: Metric) => void;

/** How a request ended that was replied to. */
export function outcomeOfReply(reply: object): RequestOutcome {
  return "errorCode" in reply && reply.errorCode !== 0 ? "refused" : "ok";
}

/** How a request ended, from what it rejected with. */
export function outcomeOf(reason: unknown, signal: AbortSignal | undefined): RequestOutcome {
  if (signal?.aborted && reason === signal.reason) return "aborted";
  return reason instanceof RequestTimeoutError ? "timeout" : "error";
}
