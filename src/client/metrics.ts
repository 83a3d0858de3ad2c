/** What the client measures of itself, handed to one hook. */
import { RequestTimeoutError } from "../errors/errors.js";

/** One measurement. Names and labels are stable; none of them says whose or what. */
export type Metric =
  /** A call ended. */
  | {
      readonly name: "request";
      /** Name of the public call, e.g. `encryptRead`. */
      readonly operation: string;
      readonly outcome: "ok" | "error" | "timeout" | "aborted";
      /** From the call to its end, reconnects included. */
      readonly durationMs: number;
    }
  /** What waits, each time a call is made or ends. */
  | { readonly name: "calls"; readonly inFlight: number; readonly queued: number }
  /** The connection to the daemon is there again. */
  | { readonly name: "reconnect"; readonly resumed: boolean; readonly downMs: number };

/** Takes measurements; must not throw and should not take long. */
export type MetricsHook = (metric: Metric) => void;

/** How a call ended, from what it rejected with. */
export function outcomeOf(
  reason: unknown,
  signal: AbortSignal | undefined,
): "error" | "timeout" | "aborted" {
  if (signal?.aborted && reason === signal.reason) return "aborted";
  return reason instanceof RequestTimeoutError ? "timeout" : "error";
}
