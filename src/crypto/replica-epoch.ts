/**
 * Replica epochs: the weeks for which envelope keys are valid. Pigeonhole page, section 6. They
 * turn over on Thursdays at 00:00 UTC.
 */

/** Where replica epochs are counted from: 2017-06-01T00:00:00Z, in ms since 1970. */
export const REPLICA_EPOCH_START_MS = 1_496_275_200_000;
/** Length of a replica epoch in ms: a week. */
export const REPLICA_EPOCH_LENGTH_MS = 604_800_000;

/**
 * The replica epoch at a time.
 * @param unixMs ms since 1970, not before June 2017.
 * @throws RangeError when it is before, or no number.
 */
export function replicaEpochAt(unixMs: number): number {
  const epoch = Math.floor((unixMs - REPLICA_EPOCH_START_MS) / REPLICA_EPOCH_LENGTH_MS);
  if (!(epoch >= 0)) {
    throw new RangeError(`\`unixMs\` must be a time after 2017-06-01, got ${unixMs}`);
  }
  return epoch;
}

/** When a replica epoch begins, in ms since 1970. */
export function replicaEpochStartMs(replicaEpoch: number): number {
  return REPLICA_EPOCH_START_MS + replicaEpoch * REPLICA_EPOCH_LENGTH_MS;
}

/**
 * The replica epoch that a PKI epoch begins in.
 * @param pkiEpoch number of the PKI epoch.
 * @param periodMs length of a PKI epoch in ms: 20 minutes, or 2 in warped networks.
 */
export function replicaEpochOfPkiEpoch(pkiEpoch: number, periodMs: number): number {
  return Math.floor((pkiEpoch * periodMs) / REPLICA_EPOCH_LENGTH_MS);
}
