/** A pause that doubles from try to try, in milliseconds. */
export interface GrowingPause {
  /** Pause before the first of a row. */
  readonly first: number;
  /** Where the doubling ends. */
  readonly longest: number;
}

/** The pause before the try of that number in a row, counted from 0, in milliseconds. */
export function pauseBefore({ first, longest }: GrowingPause, attempt: number): number {
  // Beyond 2^20 nothing is left to double, and 0 times infinity is not a number.
  return Math.min(first * 2 ** Math.min(attempt, 20), longest);
}

/**
 * Every wait of daemon, couriers and replicas, in one table; all in milliseconds unless the name
 * says otherwise. Tests of the values use a virtual clock.
 */
export interface Timing {
  /** Daemon: after the planned round trip, how long until a packet is sent again. */
  readonly resendMs: number;
  /** Daemon: until a packet that could not be composed (no document, no gateway) is tried again. */
  readonly composeRetryMs: number;
  /** Daemon: between two questions how far a copy command is. */
  readonly copyPollMs: number;
  /**
   * Daemon: pause before a follow-up or a read retry. Zero: as soon as the send schedule lets it
   * out.
   */
  readonly followUpMs: GrowingPause;
  /**
   * Daemon: how long a new connection waits for a document before it is told that there is none.
   */
  readonly documentWaitMs: number;
  /** Daemon: how long a client may take to read one response before it is disconnected. */
  readonly writeDeadlineMs: number;
  /** Daemon: how long what belongs to a session is kept after its connection was lost. */
  readonly sessionGraceMs: number;
  /** Daemon: how long broadcasts wait for a client's session token. */
  readonly broadcastHoldMs: number;
  /**
   * Daemon: how long a plain message's reply is waited for after its planned round trip, for each
   * hop there and back: two times the layers, and three.
   */
  readonly plainReplyPerHopMs: number;
  /** Courier: how long an envelope's entry lives. */
  readonly courierCacheMs: number;
  /** Courier: shortest time between two clear-ups of entries whose time is over. */
  readonly courierClearUpMs: number;
  /** Courier: shortest time between two dispatches of one envelope that got no good answer yet. */
  readonly courierRedispatchMs: number;
  /** Courier: how long silent replicas are waited for. */
  readonly courierSilenceMs: number;
  /** Courier: pause before an envelope without a verdict is dispatched again by itself. */
  readonly courierRetryMs: GrowingPause;
  /**
   * Courier that knows how many boxes are stored: how long a missed box is not asked for again
   * while nothing is stored. A replica may be back that had it before.
   */
  readonly courierMissMs: number;
  /** Courier: one step of a copy command (a box read, an envelope written). */
  readonly copyStepMs: number;
  /** Courier: pause between tries of a step. */
  readonly copyBackoffMs: GrowingPause;
  /** Courier: tries of one step. */
  readonly copyTries: number;
  /** Courier: how long the final result of a copy command is kept. */
  readonly copyResultMs: number;
  /** Replica: how long another replica is waited for. */
  readonly proxyMs: number;
  /** Replica: pause before a failed replication is tried again. */
  readonly replicationRetryMs: GrowingPause;
  /** Replica: between two collections of boxes whose time is over. */
  readonly garbageCollectionMs: number;
  /** Links between couriers and replicas: mean delay of a command while no document tells it. */
  readonly linkMeanMs: number;
}

/**
 * Upstream's values, and ours where upstream has no such wait: it does not retry what got no
 * verdict (`courierRetryMs`), cannot know of boxes (`courierMissMs`), and clears up when an
 * envelope comes (`courierClearUpMs`). spec/thin-protocol §3.1, §3.3, §4.2, §7.2, §7.3; spec/mixnet
 * §8.5; spec/pigeonhole §5.1 and §9.
 */
export const upstreamTiming: Timing = {
  resendMs: 20_000,
  composeRetryMs: 1000,
  copyPollMs: 5000,
  followUpMs: { first: 0, longest: 0 },
  documentWaitMs: 30_000,
  writeDeadlineMs: 60_000,
  sessionGraceMs: 600_000,
  broadcastHoldMs: 2000,
  plainReplyPerHopMs: 500,
  courierCacheMs: 300_000,
  courierClearUpMs: 1000,
  courierRedispatchMs: 1000,
  courierSilenceMs: 30_000,
  courierRetryMs: { first: 30_000, longest: 480_000 },
  courierMissMs: 30_000,
  copyStepMs: 60_000,
  copyBackoffMs: { first: 500, longest: 10_000 },
  copyTries: 10,
  copyResultMs: 1_800_000,
  proxyMs: 30_000,
  replicationRetryMs: { first: 5000, longest: 80_000 },
  garbageCollectionMs: 21_600_000,
  linkMeanMs: 50,
};

/**
 * Values for a network without mixing delays. Retries keep a pace even there, or an idle network
 * with a hundred waiting readers would be busy.
 */
export const instantTiming: Timing = {
  ...upstreamTiming,
  resendMs: 2000,
  composeRetryMs: 200,
  copyPollMs: 20,
  followUpMs: { first: 20, longest: 1000 },
  documentWaitMs: 3000,
  broadcastHoldMs: 500,
  courierCacheMs: 15_000,
  courierRedispatchMs: 1000,
  courierSilenceMs: 3000,
  courierRetryMs: { first: 3000, longest: 48_000 },
  copyStepMs: 6000,
  copyBackoffMs: { first: 50, longest: 1000 },
  proxyMs: 3000,
  replicationRetryMs: { first: 500, longest: 8000 },
};

/**
 * As {@link instantTiming}, for key exchanges that take seconds: who gives up on a replica while it
 * computes only makes it compute more.
 */
export const slowInstantTiming: Timing = {
  ...instantTiming,
  resendMs: upstreamTiming.resendMs,
  courierCacheMs: upstreamTiming.courierCacheMs,
  courierRedispatchMs: 10_000,
  courierSilenceMs: upstreamTiming.courierSilenceMs,
  courierRetryMs: upstreamTiming.courierRetryMs,
  copyStepMs: upstreamTiming.copyStepMs,
  proxyMs: upstreamTiming.proxyMs,
};

/** The usual values for a network with that mixing and that key exchange of the storage. */
export function timingOf(mixing: string, nikeName: string): Timing {
  if (mixing !== "instant") return upstreamTiming;
  return nikeName === "x25519" ? instantTiming : slowInstantTiming;
}
