/**
 * Epochs: the periods of a network's keys and documents (spec/mixnet §3.1 and §6). The wire does
 * not say how long an epoch is; all members use the same configuration.
 */

/** The start of epoch 0: 2017-06-01T00:00:00Z, in milliseconds since 1970. */
export const EPOCH_ZERO_MS = Date.UTC(2017, 5, 1);
/** Length of an epoch on a production network, in milliseconds: 20 minutes. */
export const DEFAULT_EPOCH_MS = 20 * 60_000;
/** Length of a replica epoch, in milliseconds: a week, whatever the length of an epoch is. */
export const REPLICA_EPOCH_MS = 7 * 24 * 3_600_000;

/** A moment as an epoch and an offset. */
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
 * @throws RangeError when the moment is before epoch 0, or the period is not a whole number above
 * 0.
 */
export function epochAt(nowMs: number, periodMs: number = DEFAULT_EPOCH_MS): EpochTime {
  checkPeriod(periodMs);
  const since = nowMs - EPOCH_ZERO_MS;
  if (!(since >= 0)) throw new RangeError(`\`nowMs\` must not lie before epoch 0, got ${nowMs}`);
  const epoch = Math.floor(since / periodMs);
  const elapsedMs = since - epoch * periodMs;
  return { epoch, elapsedMs, leftMs: periodMs - elapsedMs };
}

/** Lengths of epochs are multiples of one of these, in milliseconds, the most usual one first. */
const EPOCH_STEPS_MS = [60_000, 1000, 500] as const;
/** The shortest and longest epochs that anybody is assumed to use, in milliseconds: up to a day. */
const EPOCH_LENGTHS_MS = { shortest: 1000, longest: 24 * 3_600_000 };

/**
 * The length of a network's epochs, in milliseconds, from the number of a new document. All networks
 * count epochs from {@link EPOCH_ZERO_MS}, so number and time together usually allow only one usual
 * length: of whole minutes, whole seconds, or half seconds. The document may be that of the epoch
 * before, because daemons announce them late, or that of the next one. Null if no usual length fits,
 * or several do.
 * @param nowMs milliseconds since 1970.
 */
export function epochLengthOf(epoch: number, nowMs: number): number | null {
  if (!(epoch > 1)) return null;
  const sinceMs = nowMs - EPOCH_ZERO_MS;
  for (const step of EPOCH_STEPS_MS) {
    // The current epoch is at least `epoch` - 1 and at most `epoch` + 1.
    const fewest = Math.floor(sinceMs / (epoch + 2) / step) + 1;
    const most = Math.floor(sinceMs / (epoch - 1) / step);
    if (!(fewest <= most)) continue;
    const { shortest, longest } = EPOCH_LENGTHS_MS;
    if (fewest < most || most * step < shortest || most * step > longest) return null;
    return most * step;
  }
  return null;
}

/**
 * The start of `epoch`, in milliseconds since 1970.
 * @throws RangeError when the period is not a whole number above 0.
 */
export function epochStart(epoch: number, periodMs: number = DEFAULT_EPOCH_MS): number {
  checkPeriod(periodMs);
  return EPOCH_ZERO_MS + epoch * periodMs;
}

/**
 * The replica epoch (a week) that contains the start of `epoch`. Envelope keys belong to replica
 * epochs.
 * @throws RangeError when `epoch` is not a whole number, or the period is not one above 0.
 */
export function replicaEpoch(epoch: number, periodMs: number = DEFAULT_EPOCH_MS): number {
  checkPeriod(periodMs);
  // Epochs come from others' documents, so the result must be exact for implausible ones too.
  return Number((BigInt(epoch) * BigInt(periodMs)) / BigInt(REPLICA_EPOCH_MS));
}

/** -ln(10^-12): the probability that an exponential sample exceeds this many means is 10^-12. */
const tail = 27.631021115928547;

/**
 * The longest allowed sample of the exponential distribution with this rate, in milliseconds:
 * longer samples are cut to it. 0 for a rate that is not above 0.
 * @param rate per millisecond.
 */
export function samplingCap(rate: number): number {
  return rate > 0 ? Math.ceil(tail / rate) : 0;
}

/**
 * The mean interval of a sender with this rate from the document, in whole milliseconds. 0, which
 * means never, for a rate that is not above 0 or is above 1.
 * @param rate per millisecond.
 */
export function meanIntervalMs(rate: number): number {
  return rate > 0 ? Math.trunc(1 / rate) : 0;
}
