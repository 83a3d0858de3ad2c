/**
 * Every wait of daemon, couriers and replicas, in one table; all in milliseconds unless the name says
 * otherwise. Tests of the values use a virtual clock.
 */
export interface Timing {
  /** Daemon: after the planned round trip, how long until a packet is sent again. */
  readonly resendMs: number;
  /** Daemon: until a packet that could not be composed (no document, no gateway) is tried again. */
  readonly composeRetryMs: number;
  /** Daemon: between two questions how far a copy command is. */
  readonly copyPollMs: number;
  /**
   * Daemon: pause before a follow-up or a read retry; doubles from the first to the second number
   * with each in a row. Zero: as soon as the send schedule lets it out.
   */
  readonly followUpMs: {
    /** Pause before the first of a row. */
    readonly first: number;
    /** Where the doubling ends. */
    readonly longest: number;
  };
  /** Daemon: how long a new connection waits for a document before it is told that there is none. */
  readonly documentWaitMs: number;
  /** Daemon: how long what belongs to a session is kept after its connection was lost. */
  readonly sessionGraceMs: number;
  /** Daemon: how long broadcasts wait for a client's session token. */
  readonly broadcastHoldMs: number;
  /** Daemon: how long a plain message's reply is waited for after its planned round trip. */
  readonly plainReplyMs: number;
  /** Courier: how long an envelope's entry lives. */
  readonly courierCacheMs: number;
  /** Courier: shortest time between two dispatches of one envelope that got no good answer yet. */
  readonly courierRedispatchMs: number;
  /** Courier: how long a silent replica is waited for before its envelope is dispatched again. */
  readonly courierSilenceMs: number;
  /** Courier: one step of a copy command (a box read, an envelope written). */
  readonly copyStepMs: number;
  /** Courier: pause between tries of a step; doubles from the first to the second number. */
  readonly copyBackoffMs: {
    /** Pause before the second try. */
    readonly first: number;
    /** Where the doubling ends. */
    readonly longest: number;
  };
  /** Courier: tries of one step. */
  readonly copyTries: number;
  /** Courier: how long the final result of a copy command is kept. */
  readonly copyResultMs: number;
  /** Replica: how long another replica is waited for. */
  readonly proxyMs: number;
  /** Replica: pause before a failed replication is tried again. */
  readonly replicationRetryMs: number;
  /** Replica: between two collections of boxes whose time is over. */
  readonly garbageCollectionMs: number;
}

/** Upstream's values. Protocol page, sections 3.3, 7.2, 7.3; pigeonhole page, section 9. */
export const upstreamTiming: Timing = {
  resendMs: 20_000,
  composeRetryMs: 1000,
  copyPollMs: 5000,
  followUpMs: { first: 0, longest: 0 },
  documentWaitMs: 30_000,
  sessionGraceMs: 600_000,
  broadcastHoldMs: 2000,
  plainReplyMs: 600_000,
  courierCacheMs: 300_000,
  courierRedispatchMs: 1000,
  courierSilenceMs: 30_000,
  copyStepMs: 60_000,
  copyBackoffMs: { first: 500, longest: 10_000 },
  copyTries: 10,
  copyResultMs: 1_800_000,
  proxyMs: 30_000,
  replicationRetryMs: 5000,
  garbageCollectionMs: 21_600_000,
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
  broadcastHoldMs: 500,
  courierRedispatchMs: 1000,
  courierSilenceMs: 3000,
  copyStepMs: 6000,
  copyBackoffMs: { first: 50, longest: 1000 },
  proxyMs: 3000,
  replicationRetryMs: 500,
};

/**
 * As {@link instantTiming}, for key exchanges that take seconds: who gives up on a replica while it
 * computes only makes it compute more.
 */
export const slowInstantTiming: Timing = {
  ...instantTiming,
  resendMs: upstreamTiming.resendMs,
  courierRedispatchMs: 10_000,
  courierSilenceMs: upstreamTiming.courierSilenceMs,
  copyStepMs: upstreamTiming.copyStepMs,
  proxyMs: upstreamTiming.proxyMs,
};
