/**
 * What the embedded network can do better than a real one. All of it is off by default: a program
 * that works here must not fail there. Each is a row of `docs/differences.md`.
 */

/** The kindnesses of daemon and couriers, by name; one that is left out is off. */
export interface Kindness {
  /**
   * Couriers ask the replicas for a missed box as long as a client asks, prefer what either replica
   * found to the other's miss, and dispatch by themselves what no replica gave a verdict on. Off:
   * five more dispatches an envelope, then what is cached, until another new envelope clears it
   * away.
   */
  readonly kindCouriers?: boolean | undefined;
  /**
   * A cancel finds every start of that name that was read before it. Off: only those that have left
   * the queue of packets that wait for their tick; one that is still in there begins afterwards and
   * runs forever.
   */
  readonly kindCancels?: boolean | undefined;
  /**
   * What waits for its tick when a connection ends is sent anyway, and results that come
   * while the application is away are kept for it. Off: both are lost; only replies to plain
   * messages are kept.
   */
  readonly kindSessions?: boolean | undefined;
  /**
   * While there is no document, connections wait for it side by side. Off: one after the other,
   * each for up to `documentWaitMs`, those that were hung up too.
   */
  readonly kindConnections?: boolean | undefined;
  /**
   * A new document is told of when its epoch begins. Off: when the daemon next wakes to fetch one,
   * 11/16 of the epoch later.
   */
  readonly kindDocuments?: boolean | undefined;
  /**
   * Mixes of real packets pass on packets however late they are. Off: a packet that leaves more than
   * 450 ms after its delay is dropped, as on a machine that is too busy for its traffic.
   */
  readonly kindMixes?: boolean | undefined;
  /**
   * A daemon reads on, cancels and good-byes included, while thousands of a client's packets wait
   * for their tick. Off: it reads no further than 16.
   */
  readonly kindReading?: boolean | undefined;
}

/** The name of each kindness. */
export const kindnesses = [
  "kindCouriers",
  "kindCancels",
  "kindSessions",
  "kindConnections",
  "kindDocuments",
  "kindMixes",
  "kindReading",
] as const satisfies readonly (keyof Kindness)[];
