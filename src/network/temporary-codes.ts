/**
 * Replica codes after which it is worth asking again, for each who asks. spec/pigeonhole §9.1 and
 * §9.2.
 *
 * | code | envelopes | copies | why they differ |
 * | --- | --- | --- | --- |
 * | 4, 6, 7, 9: database, storage, internal, replication | yes | yes | |
 * | 1: box ID not found | no | yes | to a reader it is the answer; a box of a copy stream was written before the command, and may still be on its way to this shard |
 * | 8: invalid epoch | yes | no | an envelope keeps its epoch, which another replica may take; a copy asks with the epoch of the moment, so this shard will not take it, and the next one is asked |
 */
import {
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
  REPLICA_ERROR_DATABASE_FAILURE,
  REPLICA_ERROR_INTERNAL_ERROR,
  REPLICA_ERROR_INVALID_EPOCH,
  REPLICA_ERROR_REPLICATION_FAILED,
  REPLICA_ERROR_STORAGE_FULL,
} from "../errors/codes.js";

const failedJustNow = [
  REPLICA_ERROR_DATABASE_FAILURE,
  REPLICA_ERROR_STORAGE_FULL,
  REPLICA_ERROR_INTERNAL_ERROR,
  REPLICA_ERROR_REPLICATION_FAILED,
];

/**
 * Of an envelope that a courier or a replica passes on: the code is not a verdict on the box, and
 * the other shard, or the same one later, may know better.
 */
export const temporaryForEnvelopes: ReadonlySet<number> = new Set([
  ...failedJustNow,
  REPLICA_ERROR_INVALID_EPOCH,
]);

/** Of a box that a copy reads or deletes: the same shard is asked again. */
export const temporaryForCopies: ReadonlySet<number> = new Set([
  ...failedJustNow,
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
]);
