/**
 * What a daemon does for its applications, told event by event to people who watch it. The types
 * hold names, shortened ids and numbers: there is no field for a payload, a capability or a key.
 */

/** What a packet of an application is for. */
export type TraceOperation = "message" | "read" | "write" | "copy";

/** What every event about an application's request has. */
export interface TracedRequest {
  /** The application's session. */
  readonly session: string;
  /** The request: its query ID; of a message its ID, or else its reply block. Null when it has none. */
  readonly request: string | null;
}

/**
 * One thing that a daemon did. Ids are the first 4 bytes in hex. A request that sends a packet goes
 * through `request`, `queued`, `sent` (once for each attempt), `acknowledged` or `again`, and
 * `answered`; one that the daemon answers itself has only `request` and `answered`.
 */
export type DaemonTrace = {
  /** Who tells: a daemon. */
  readonly source: "daemon";
  /** When it happened, in ms since 1970, by the clock of the daemon. */
  readonly at: number;
} & (
  | {
      /** An application's session began, came back, was left or ended. */
      readonly event: "session";
      /** The application's session. */
      readonly session: string;
      /** What became of it. */
      readonly state: "attached" | "resumed" | "gone" | "ended";
    }
  | (TracedRequest & {
      /** A request was read. */
      readonly event: "request";
      /** The name of the request, e.g. `encryptRead`. */
      readonly kind: string;
      /** The envelope that it is about; null where it is about none. */
      readonly envelope: string | null;
    })
  | (TracedRequest & {
      /** Its packet waits for a tick of the send schedule. */
      readonly event: "queued";
      /** What the packet is for. */
      readonly operation: TraceOperation;
      /** The envelope in it; null where there is none. */
      readonly envelope: string | null;
      /** How many packets of this application wait, this one included. */
      readonly waiting: number;
      /** How long a packet waits for the next tick on average, in ms; 0 without a rate. */
      readonly meanMs: number;
    })
  | {
      /** A tick of the send schedule. */
      readonly event: "tick";
      /** Whether a packet of an application left on it; otherwise cover traffic did. */
      readonly used: boolean;
      /** How many packets still wait, of all applications. */
      readonly waiting: number;
    }
  | (TracedRequest & {
      /** A packet left for the request. */
      readonly event: "sent";
      /** Its reply block, as the link names it; null when it has none. */
      readonly packet: string | null;
      /** Which packet of the request it is, counted from 1. */
      readonly attempt: number;
    })
  | (TracedRequest & {
      /** A courier has the request and has no answer for it yet. */
      readonly event: "acknowledged";
    })
  | (TracedRequest & {
      /** The daemon will ask again. */
      readonly event: "again";
      /** Which packet of the request the next one is. */
      readonly attempt: number;
      /** After how many ms. */
      readonly inMs: number;
      /** `answer`: the answer was not final; `silence`: none has come in that time. */
      readonly why: "answer" | "silence";
    })
  | (TracedRequest & {
      /** The application was given its answer. */
      readonly event: "answered";
      /** Thin-client error code; 0: it went well. */
      readonly code: number;
      /** The envelope that was sealed; null when none was. */
      readonly envelope: string | null;
    })
  | (TracedRequest & {
      /** The application gave the request up. */
      readonly event: "cancelled";
    })
);
