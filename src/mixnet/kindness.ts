/**
 * Options that make the embedded network kinder than a real one. All are off by default, because a
 * program that works here must also work there. Each is a row of `docs/differences.md`.
 */

/** The kindnesses of daemon and couriers, by name; a missing one is off. */
export interface Kindness {
  /**
   * Couriers ask the replicas for a missing box as long as a client asks, prefer a box that one
   * replica found to the other's miss, and dispatch envelopes without a final answer again on their
   * own. Off: five more dispatches per envelope, then the cached answer, until another new envelope
   * clears it away.
   */
  readonly kindCouriers?: boolean | undefined;
  /**
   * A cancel finds every earlier start of the same operation. Off: it finds only starts that have
   * left the queue of packets that wait for their tick; a start that is still in the queue begins
   * afterwards and runs forever.
   */
  readonly kindCancels?: boolean | undefined;
  /**
   * Packets that wait for their tick when a connection ends are sent anyway, and results that
   * arrive while the application is away are kept for it. Off: both are lost; only replies to plain
   * messages are kept.
   */
  readonly kindSessions?: boolean | undefined;
  /**
   * While there is no document, connections wait for it in parallel. Off: one after the other, each
   * for up to `documentWaitMs`, including disconnected ones.
   */
  readonly kindConnections?: boolean | undefined;
  /**
   * A new document is announced when its epoch begins. Off: when the daemon next wakes to fetch
   * one, 11/16 of the epoch later.
   */
  readonly kindDocuments?: boolean | undefined;
  /**
   * Mixes pass on real packets however late they are. Off: a packet that leaves more than 450 ms
   * after its delay is dropped, as on a machine that is too busy for its traffic.
   */
  readonly kindMixes?: boolean | undefined;
  /**
   * A daemon continues to read, including cancels and goodbyes, while thousands of a client's
   * packets wait for their tick. Off: it stops reading at 16.
   */
  readonly kindReading?: boolean | undefined;
}

/** The names of the kindnesses. */
export const kindnesses = [
  "kindCouriers",
  "kindCancels",
  "kindSessions",
  "kindConnections",
  "kindDocuments",
  "kindMixes",
  "kindReading",
] as const satisfies readonly (keyof Kindness)[];
