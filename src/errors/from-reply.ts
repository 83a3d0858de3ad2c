/** From the numbers in replies to errors. spec/thin-protocol §5.1 and §5.2. */
import { REPLICA_SUCCESS, THIN_CLIENT_ERROR_COPY_COMMAND_FAILED } from "./codes.js";
import * as errors from "./errors.js";
import type { ErrorDetails, ThinClientError } from "./errors.js";

type Make = (details?: ErrorDetails) => ThinClientError;

const replicaErrors: readonly (Make | null)[] = [
  null,
  (d) => new errors.BoxIDNotFoundError(undefined, d),
  (d) => new errors.InvalidBoxIDError(undefined, d),
  (d) => new errors.InvalidSignatureError(undefined, d),
  (d) => new errors.DatabaseFailureError(undefined, d),
  (d) => new errors.InvalidPayloadError(undefined, d),
  (d) => new errors.StorageFullError(undefined, d),
  (d) => new errors.ReplicaInternalError(undefined, d),
  (d) => new errors.InvalidEpochError(undefined, d),
  (d) => new errors.ReplicationFailedError(undefined, d),
  (d) => new errors.BoxAlreadyExistsError(undefined, d),
  (d) => new errors.TombstoneError(undefined, d),
];

const thinClientErrors: ReadonlyMap<number, Make> = new Map<number, Make>([
  [12, (d) => new errors.CourierCacheCorruptionError(undefined, d)],
  [13, (d) => new errors.CourierPropagationError(undefined, d)],
  [22, (d) => new errors.MKEMDecryptionFailedError(undefined, d)],
  [23, (d) => new errors.BACAPDecryptionFailedError(undefined, d)],
  [24, (d) => new errors.StartResendingCancelledError(undefined, d)],
  [25, (d) => new errors.InvalidTombstoneSignatureError(undefined, d)],
  [27, (d) => new errors.PayloadTooLargeError(undefined, d)],
  [28, (d) => new errors.VoucherHashMismatchError(undefined, d)],
  [29, (d) => new errors.VoucherSignatureInvalidError(undefined, d)],
  [30, (d) => new errors.VoucherSealOpenFailedError(undefined, d)],
  [31, (d) => new errors.CourierInvalidEnvelopeError(undefined, d)],
  [32, (d) => new errors.CourierInvalidEpochError(undefined, d)],
]);

/** The error of a replica's code; null for success. */
export function replicaErrorFromCode(
  errorCode: number,
  details?: ErrorDetails,
): ThinClientError | null {
  if (errorCode === REPLICA_SUCCESS) return null;
  return replicaErrors[errorCode]?.(details) ?? daemonErrorFromCode(errorCode, details);
}

/**
 * The error of a daemon's code in any reply but that of `start_resending_encrypted_message`:
 * numbers 1 to 11 are the daemon's own. Null for success.
 */
export function daemonErrorFromCode(
  errorCode: number,
  details?: ErrorDetails,
): ThinClientError | null {
  if (errorCode === 0) return null;
  return (
    thinClientErrors.get(errorCode)?.(details) ?? new errors.DaemonRequestError(errorCode, details)
  );
}

/**
 * The error of a `start_resending_encrypted_message_reply`, where 1 to 11 are a replica's codes;
 * null for success. That field's 3 and 4 are ambiguous: here they are a replica's.
 */
export function errorCodeToException(
  errorCode: number,
  details?: ErrorDetails,
): ThinClientError | null {
  return replicaErrorFromCode(errorCode, details);
}

/**
 * As {@link errorCodeToException}, but knows whether 3 and 4 are the daemon's or a replica's: a
 * replica's verdict always comes with the courier that brought it (spec/thin-protocol §5.1,
 * "Collision").
 */
export function arqErrorFromReply(
  reply: { readonly errorCode: number; readonly courierIdentityHash: Uint8Array | null },
  details?: ErrorDetails,
): ThinClientError | null {
  const ofDaemon =
    (reply.errorCode === 3 || reply.errorCode === 4) && reply.courierIdentityHash === null;
  return ofDaemon
    ? daemonErrorFromCode(reply.errorCode, details)
    : replicaErrorFromCode(reply.errorCode, details);
}

/** What a `start_resending_copy_command_reply` says. */
export interface CopyCommandReply {
  /** The daemon's code; absent means 0. */
  readonly errorCode?: number | null | undefined;
  /** The replica's code when the copy failed. */
  readonly replicaErrorCode?: number | null | undefined;
  /** 1-based place of the failing envelope; 0 when that does not apply. */
  readonly failedEnvelopeIndex?: bigint | null | undefined;
}

/**
 * The error of a copy reply by its own table (spec/thin-protocol §5.2): 26 carries the details,
 * every other number is the daemon's. Null for success.
 * @throws TypeError for fields in the wire's spelling: they would pass for success.
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
  if (errorCode !== THIN_CLIENT_ERROR_COPY_COMMAND_FAILED) {
    return daemonErrorFromCode(errorCode, details);
  }
  const replicaCode = reply.replicaErrorCode ?? 0;
  return new errors.CopyCommandFailedError(replicaCode, reply.failedEnvelopeIndex ?? 0n, {
    ...details,
    cause: replicaErrorFromCode(replicaCode) ?? undefined,
  });
}
