/**
 * What a daemon does for its applications, event by event, for people who watch it. The types hold
 * names, shortened IDs and numbers, and have no field for a payload, a capability or a key.
 */

/** The purpose of an application's packet. */
export type TraceOperation = "message" | "read" | "write" | "copy";

/** The fields of every event about an application's request. */
export interface TracedRequest {
  /** The application's session. */
  readonly session: string;
  /** The request: its query ID, its message ID, or the ID of its reply block; null if it has none. */
  readonly request: string | null;
}

/**
 * One thing that a daemon did. IDs are the first 4 bytes in hex. A request that sends a packet goes
 * through `request`, `queued`, `sent` (once for each attempt), `acknowledged` or `again`, and
 * `answered`; one that the daemon answers itself has only `request` and `answered`.
 */
export type DaemonTrace = {
  /** The source of the event: a daemon. */
  readonly source: "daemon";
  /** When it happened, in ms since 1970, by the daemon's clock. */
  readonly at: number;
} & (
  | {
      /** An application's session began, was resumed, was left or ended. */
      readonly event: "session";
      /** The application's session. */
      readonly session: string;
      /** The session's new state. */
      readonly state: "attached" | "resumed" | "gone" | "ended";
    }
  | (TracedRequest & {
      /** A request was read. */
      readonly event: "request";
      /** The name of the request, e.g. `encryptRead`. */
      readonly kind: string;
      /** The hash of its envelope; null without one. */
      readonly envelope: string | null;
    })
  | (TracedRequest & {
      /** Its packet waits for a tick of the send schedule. */
      readonly event: "queued";
      /** What the packet is for. */
      readonly operation: TraceOperation;
      /** The hash of its envelope; null without one. */
      readonly envelope: string | null;
      /** How many packets of this application wait, including this one. */
      readonly waiting: number;
      /** The average wait for the next tick, in ms; 0 without a rate. */
      readonly meanMs: number;
    })
  | {
      /** A tick of the send schedule. */
      readonly event: "tick";
      /** Whether an application's packet left on it; otherwise cover traffic did. */
      readonly used: boolean;
      /** How many packets of all applications still wait. */
      readonly waiting: number;
    }
  | (TracedRequest & {
      /** A packet left for the request. */
      readonly event: "sent";
      /** Its SURB ID; null if it has none. */
      readonly packet: string | null;
      /** The number of the packet among those of the request, from 1 on. */
      readonly attempt: number;
    })
  | (TracedRequest & {
      /** A courier has the request but no final answer yet. */
      readonly event: "acknowledged";
    })
  | (TracedRequest & {
      /** The daemon will ask again. */
      readonly event: "again";
      /** The number of the next packet among those of the request. */
      readonly attempt: number;
      /** After how many ms; 0 after silence. */
      readonly inMs: number;
      /** `answer`: the answer was not final; `silence`: no answer came in time. */
      readonly why: "answer" | "silence";
    })
  | (TracedRequest & {
      /** The application got its answer. */
      readonly event: "answered";
      /** Thin-client error code; 0 for success. */
      readonly code: number;
      /** The sealed envelope; null if none was sealed. */
      readonly envelope: string | null;
    })
  | (TracedRequest & {
      /** The application gave the request up. */
      readonly event: "cancelled";
    })
);
