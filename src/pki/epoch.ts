/**
 * Epochs: the periods that a network's keys and documents are for. spec/mixnet §3.1 and §6.
 * Nothing on the wire says how long one is; all members are configured alike.
 */

/** When epoch 0 began: 2017-06-01T00:00:00Z, in milliseconds since 1970. */
export const EPOCH_ZERO_MS = Date.UTC(2017, 5, 1);
/** Length of an epoch on a production network, in milliseconds: 20 minutes. */
export const DEFAULT_EPOCH_MS = 20 * 60_000;
/** Length of a replica epoch, in milliseconds: a week, whatever the length of an epoch. */
export const REPLICA_EPOCH_MS = 7 * 24 * 3_600_000;

/** A moment as the epochs count it. */
export interface EpochTime {
  /** Whole periods since {@link EPOCH_ZERO_MS}. */
  readonly epoch: number;
  /** Milliseconds since the epoch began. */
  readonly elapsedMs: number;
  /** Milliseconds until the next one begins; never 0. */
  readonly leftMs: number;
}

function checkPeriod(periodMs: number): void {
  if (!Number.isSafeInteger(periodMs) || periodMs <= 0) {
    throw new RangeError(`\`periodMs\` must be a whole number above 0, got ${periodMs}`);
  }
}

/**
 * The epoch of a moment.
 * @param nowMs milliseconds since 1970.
 * @param periodMs length of an epoch in milliseconds.
 * @throws RangeError when the moment lies before epoch 0, or the period is not a whole number above 0.
 */
export function epochAt(nowMs: number, periodMs: number = DEFAULT_EPOCH_MS): EpochTime {
  checkPeriod(periodMs);
  const since = nowMs - EPOCH_ZERO_MS;
  if (!(since >= 0)) throw new RangeError(`\`nowMs\` must not lie before epoch 0, got ${nowMs}`);
  const epoch = Math.floor(since / periodMs);
  const elapsedMs = since - epoch * periodMs;
  return { epoch, elapsedMs, leftMs: periodMs - elapsedMs };
}

/** The longest epochs that anybody is thought to use, in milliseconds: a day. */
const LONGEST_EPOCH_MS = 24 * 3_600_000;

/**
 * The length of a network's epochs, in milliseconds, from a document that is new: epochs are
 * counted from {@link EPOCH_ZERO_MS} on, so its number and the time allow hardly more than one
 * whole number of seconds. The document may be the epoch's before, as daemons hand them out late,
 * or the next one's. Null where no whole number of seconds fits, or several do.
 * @param nowMs milliseconds since 1970.
 */
export function epochLengthOf(epoch: number, nowMs: number): number | null {
  const sinceSeconds = (nowMs - EPOCH_ZERO_MS) / 1000;
  // As for the current epoch, more than it; as for the next one, at most one less.
  const shortest = Math.floor(sinceSeconds / (epoch + 2)) + 1;
  const longest = Math.floor(sinceSeconds / (epoch - 1));
  if (!(epoch > 1 && longest >= 1 && longest * 1000 <= LONGEST_EPOCH_MS)) return null;
  return shortest === longest ? shortest * 1000 : null;
}

/** When `epoch` begins, in milliseconds since 1970. @throws RangeError as {@link epochAt}. */
export function epochStart(epoch: number, periodMs: number = DEFAULT_EPOCH_MS): number {
  checkPeriod(periodMs);
  return EPOCH_ZERO_MS + epoch * periodMs;
}

/**
 * The replica epoch (a week) that the beginning of `epoch` lies in. Envelope keys are for replica
 * epochs.
 * @throws RangeError as {@link epochAt}.
 */
export function replicaEpoch(epoch: number, periodMs: number = DEFAULT_EPOCH_MS): number {
  checkPeriod(periodMs);
  // Epochs come from documents of others: exact for every one of them, not only for plausible ones.
  return Number((BigInt(epoch) * BigInt(periodMs)) / BigInt(REPLICA_EPOCH_MS));
}

/** -ln(10^-12): beyond this many means, an exponential sample is a one in 10^12 event. */
const tail = 27.631021115928547;

/**
 * The longest that a sample of the exponential distribution with this rate may be, in milliseconds:
 * longer ones are cut to it. 0 for a rate that is not above 0.
 * @param rate per millisecond.
 */
export function samplingCap(rate: number): number {
  return rate > 0 ? Math.ceil(tail / rate) : 0;
}

/**
 * The mean that a sender is told to keep for a rate of the document, in whole milliseconds; 0,
 * which means never, for a rate that is not above 0 or is above 1.
 * @param rate per millisecond.
 */
export function meanIntervalMs(rate: number): number {
  return rate > 0 ? Math.trunc(1 / rate) : 0;
}
