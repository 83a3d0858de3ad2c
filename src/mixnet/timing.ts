/** A pause that doubles with each attempt, in milliseconds. */
export interface GrowingPause {
  /** The first pause in a row. */
  readonly first: number;
  /** The longest pause. */
  readonly longest: number;
}

/** The pause before an attempt, by its number in a row from 0, in milliseconds. */
export function pauseBefore({ first, longest }: GrowingPause, attempt: number): number {
  // Beyond 2^20 doubling has no effect, and 0 times infinity is not a number.
  return Math.min(first * 2 ** Math.min(attempt, 20), longest);
}

/**
 * Every wait of daemon, couriers and replicas in one table, in milliseconds unless the name says
 * otherwise. Tests of the values use a virtual clock.
 */
export interface Timing {
  /** Daemon: how long after the planned round trip a packet is sent again. */
  readonly resendMs: number;
  /**
   * Daemon: after how long a packet that could not be made (no document, no route) is tried again.
   */
  readonly composeRetryMs: number;
  /** Daemon: time between two polls of a copy command. */
  readonly copyPollMs: number;
  /**
   * Daemon: pause before a follow-up or a read retry. Zero: as soon as the send schedule allows.
   */
  readonly followUpMs: GrowingPause;
  /**
   * Daemon: how long a new connection waits for a document before it is told that there is none.
   */
  readonly documentWaitMs: number;
  /** Daemon: how long a client may take to read one response before it is disconnected. */
  readonly writeDeadlineMs: number;
  /** Daemon: how long a session is kept after its connection was lost. */
  readonly sessionGraceMs: number;
  /** Daemon: how long broadcasts wait for a client's first request. */
  readonly broadcastHoldMs: number;
  /**
   * Daemon: how long after its planned round trip a plain message's reply is awaited, for each hop
   * of the round trip: twice the layers, plus three.
   */
  readonly plainReplyPerHopMs: number;
  /** Courier: how long an envelope's entry is kept. */
  readonly courierCacheMs: number;
  /** Kind courier: shortest time between two clean-ups of expired entries. */
  readonly courierClearUpMs: number;
  /**
   * Courier: how often it looks whether a replica that was away is back. A kind courier: also the
   * shortest time between two dispatches of one envelope without a good answer.
   */
  readonly courierRedispatchMs: number;
  /** Courier: how long it waits for silent replicas. */
  readonly courierSilenceMs: number;
  /**
   * Kind courier: pause before an envelope without a final answer is dispatched again without a
   * query.
   */
  readonly courierRetryMs: GrowingPause;
  /**
   * Courier that knows how many boxes are stored: how long a missing box is not asked for again
   * while nothing is stored. A replica that has the box may return meanwhile.
   */
  readonly courierMissMs: number;
  /** Courier: one step of a copy command (a box read, an envelope written). */
  readonly copyStepMs: number;
  /** Courier: pause between attempts of a step. */
  readonly copyBackoffMs: GrowingPause;
  /** Courier: attempts of one step. */
  readonly copyTries: number;
  /** Courier: how long the final result of a copy command is kept. */
  readonly copyResultMs: number;
  /** Replica: how long it waits for another replica. */
  readonly proxyMs: number;
  /** Replica: pause before a failed replication is tried again. */
  readonly replicationRetryMs: GrowingPause;
  /** Replica: time between two deletions of expired boxes. */
  readonly garbageCollectionMs: number;
  /** Links between couriers and replicas: mean delay of a command until a document is known. */
  readonly linkMeanMs: number;
}

/**
 * Upstream's values, and ours if upstream has no such wait: it does not retry envelopes without a
 * final answer (`courierRetryMs`), cannot know the number of boxes (`courierMissMs`), and cleans up
 * when an envelope arrives (`courierClearUpMs`). Sources: spec/thin-protocol §3.1, §3.3, §4.2,
 * §7.2, §7.3; spec/mixnet §8.5; spec/pigeonhole §5.1 and §9.
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
 * Values for a network without mixing delays. Retries are paced even there, otherwise an idle
 * network with a hundred waiting readers would be busy.
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
 * Like {@link instantTiming}, for key exchanges that take seconds: giving up on a replica while it
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

/** The usual values for a network with that mixing mode and that NIKE of the storage. */
export function timingOf(mixing: string, nikeName: string): Timing {
  if (mixing !== "instant") return upstreamTiming;
  return nikeName === "x25519" ? instantTiming : slowInstantTiming;
}
