/** Converts the numbers in replies to errors (spec/thin-protocol §5.1 and §5.2). */
import * as codes from "./codes.js";
import * as errors from "./errors.js";
import type { ErrorDetails, ThinClientError } from "./errors.js";

type Make = (details?: ErrorDetails) => ThinClientError;

const replicaErrors: ReadonlyMap<number, Make> = new Map<number, Make>([
  [codes.REPLICA_ERROR_BOX_ID_NOT_FOUND, (d) => new errors.BoxIDNotFoundError(undefined, d)],
  [codes.REPLICA_ERROR_INVALID_BOX_ID, (d) => new errors.InvalidBoxIDError(undefined, d)],
  [codes.REPLICA_ERROR_INVALID_SIGNATURE, (d) => new errors.InvalidSignatureError(undefined, d)],
  [codes.REPLICA_ERROR_DATABASE_FAILURE, (d) => new errors.DatabaseFailureError(undefined, d)],
  [codes.REPLICA_ERROR_INVALID_PAYLOAD, (d) => new errors.InvalidPayloadError(undefined, d)],
  [codes.REPLICA_ERROR_STORAGE_FULL, (d) => new errors.StorageFullError(undefined, d)],
  [codes.REPLICA_ERROR_INTERNAL_ERROR, (d) => new errors.ReplicaInternalError(undefined, d)],
  [codes.REPLICA_ERROR_INVALID_EPOCH, (d) => new errors.InvalidEpochError(undefined, d)],
  [codes.REPLICA_ERROR_REPLICATION_FAILED, (d) => new errors.ReplicationFailedError(undefined, d)],
  [codes.REPLICA_ERROR_BOX_ALREADY_EXISTS, (d) => new errors.BoxAlreadyExistsError(undefined, d)],
  [codes.REPLICA_ERROR_TOMBSTONE, (d) => new errors.TombstoneError(undefined, d)],
]);

const thinClientErrors: ReadonlyMap<number, Make> = new Map<number, Make>([
  [
    codes.THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION,
    (d) => new errors.CourierCacheCorruptionError(undefined, d),
  ],
  [codes.THIN_CLIENT_PROPAGATION_ERROR, (d) => new errors.CourierPropagationError(undefined, d)],
  [
    codes.THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED,
    (d) => new errors.MKEMDecryptionFailedError(undefined, d),
  ],
  [
    codes.THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED,
    (d) => new errors.BACAPDecryptionFailedError(undefined, d),
  ],
  [
    codes.THIN_CLIENT_ERROR_START_RESENDING_CANCELLED,
    (d) => new errors.StartResendingCancelledError(undefined, d),
  ],
  [
    codes.THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG,
    (d) => new errors.InvalidTombstoneSignatureError(undefined, d),
  ],
  [codes.THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE, (d) => new errors.PayloadTooLargeError(undefined, d)],
  [
    codes.THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH,
    (d) => new errors.VoucherHashMismatchError(undefined, d),
  ],
  [
    codes.THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID,
    (d) => new errors.VoucherSignatureInvalidError(undefined, d),
  ],
  [
    codes.THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED,
    (d) => new errors.VoucherSealOpenFailedError(undefined, d),
  ],
  [
    codes.THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE,
    (d) => new errors.CourierInvalidEnvelopeError(undefined, d),
  ],
  [
    codes.THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH,
    (d) => new errors.CourierInvalidEpochError(undefined, d),
  ],
]);

/** The error for a replica's code; null for success. */
export function replicaErrorFromCode(
  errorCode: number,
  details?: ErrorDetails,
): ThinClientError | null {
  if (errorCode === codes.REPLICA_SUCCESS) return null;
  return replicaErrors.get(errorCode)?.(details) ?? daemonErrorFromCode(errorCode, details);
}

/**
 * The error for a daemon's code in any reply except that of `start_resending_encrypted_message`. In
 * those replies, 1 to 11 are the daemon's own codes. Null for success.
 */
export function daemonErrorFromCode(
  errorCode: number,
  details?: ErrorDetails,
): ThinClientError | null {
  if (errorCode === codes.THIN_CLIENT_SUCCESS) return null;
  return (
    thinClientErrors.get(errorCode)?.(details) ?? new errors.DaemonRequestError(errorCode, details)
  );
}

/**
 * The error of a `start_resending_encrypted_message_reply`, in which 1 to 11 are a replica's codes;
 * null for success. Its codes 3 and 4 are ambiguous: here they are a replica's.
 */
export function errorCodeToException(
  errorCode: number,
  details?: ErrorDetails,
): ThinClientError | null {
  return replicaErrorFromCode(errorCode, details);
}

/**
 * Like {@link errorCodeToException}, but it decides whether 3 and 4 are the daemon's or a
 * replica's: a replica's answer always names the courier that brought it (spec/thin-protocol §5.1,
 * "Collision").
 */
export function arqErrorFromReply(
  reply: { readonly errorCode: number; readonly courierIdentityHash: Uint8Array | null },
  details?: ErrorDetails,
): ThinClientError | null {
  const ofDaemon =
    (reply.errorCode === codes.THIN_CLIENT_ERROR_INVALID_REQUEST ||
      reply.errorCode === codes.THIN_CLIENT_ERROR_INTERNAL_ERROR) &&
    reply.courierIdentityHash === null;
  return ofDaemon
    ? daemonErrorFromCode(reply.errorCode, details)
    : replicaErrorFromCode(reply.errorCode, details);
}

/** The fields of a `start_resending_copy_command_reply`. */
export interface CopyCommandReply {
  /** The daemon's code; absent means 0. */
  readonly errorCode?: number | null | undefined;
  /** The replica's code if the copy failed. */
  readonly replicaErrorCode?: number | null | undefined;
  /** 1-based number of the failed envelope; 0 if it does not apply. */
  readonly failedEnvelopeIndex?: bigint | null | undefined;
}

/**
 * The error of a copy reply, by its own table (spec/thin-protocol §5.2): 26 has details, every
 * other number is the daemon's. Null for success.
 * @throws TypeError for fields in the wire's spelling, which would otherwise count as success.
 */
export function copyReplyToException(
  reply: CopyCommandReply,
  details?: ErrorDetails,
): ThinClientError | null {
  const wireName = Object.keys(reply).find((name) => name.includes("_"));
  if (wireName !== undefined) {
    throw new TypeError(
      `\`reply\` must have errorCode, replicaErrorCode and failedEnvelopeIndex, got ${wireName}`,
    );
  }
  const errorCode = reply.errorCode ?? 0;
  if (errorCode !== codes.THIN_CLIENT_ERROR_COPY_COMMAND_FAILED) {
    return daemonErrorFromCode(errorCode, details);
  }
  const replicaCode = reply.replicaErrorCode ?? 0;
  return new errors.CopyCommandFailedError(replicaCode, reply.failedEnvelopeIndex ?? 0n, {
    ...details,
    cause: replicaErrorFromCode(replicaCode) ?? undefined,
  });
}
