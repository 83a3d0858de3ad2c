/**
 * Replica codes after which it makes sense to ask again, for envelopes, copies and replication
 * (spec/pigeonhole §9.1 and §9.2).
 *
 * | code | envelopes | copies | replication | why they differ |
 * | --- | --- | --- | --- | --- |
 * | 4, 7: database, internal | yes | yes | yes | |
 * | 6, 9: storage full, replication failed | yes | yes | no | a peer that is full stays full for this box, as upstream has it; code 9 answers no replication |
 * | 1: box ID not found | no | yes | no | for a reader it is the answer; a box of a copy stream was written before the command and may still be on its way to this shard |
 * | 8: invalid epoch | yes | no | no | an envelope keeps its epoch, which another replica may accept; a copy asks with the current epoch, so this shard will not accept it, and the next one is asked; replication has no epoch |
 */
import {
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
  REPLICA_ERROR_DATABASE_FAILURE,
  REPLICA_ERROR_INTERNAL_ERROR,
  REPLICA_ERROR_INVALID_EPOCH,
  REPLICA_ERROR_REPLICATION_FAILED,
  REPLICA_ERROR_STORAGE_FULL,
} from "../errors/codes.js";

/** For a box that one replica sends to another: the box waits and is sent again. */
export const temporaryForReplication: ReadonlySet<number> = new Set([
  REPLICA_ERROR_DATABASE_FAILURE,
  REPLICA_ERROR_INTERNAL_ERROR,
]);

const failedJustNow = [
  ...temporaryForReplication,
  REPLICA_ERROR_STORAGE_FULL,
  REPLICA_ERROR_REPLICATION_FAILED,
];

/**
 * For an envelope that a courier or a replica passes on: the code says nothing final about the box.
 * The other shard, or the same one later, may give another answer.
 */
export const temporaryForEnvelopes: ReadonlySet<number> = new Set([
  ...failedJustNow,
  REPLICA_ERROR_INVALID_EPOCH,
]);

/** For a box that a copy reads or deletes: the same shard is asked again. */
export const temporaryForCopies: ReadonlySet<number> = new Set([
  ...failedJustNow,
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
]);
