/** The numbers that daemon and replicas answer with. Protocol page, sections 5.1 and 5.3. */

/** Codes of the daemon, by the name they have in every binding. */
export const ThinClientErrorCode = {
  THIN_CLIENT_SUCCESS: 0,
  THIN_CLIENT_ERROR_CONNECTION_LOST: 1,
  THIN_CLIENT_ERROR_TIMEOUT: 2,
  THIN_CLIENT_ERROR_INVALID_REQUEST: 3,
  THIN_CLIENT_ERROR_INTERNAL_ERROR: 4,
  THIN_CLIENT_ERROR_MAX_RETRIES: 5,
  THIN_CLIENT_ERROR_INVALID_CHANNEL: 6,
  THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND: 7,
  THIN_CLIENT_ERROR_PERMISSION_DENIED: 8,
  THIN_CLIENT_ERROR_INVALID_PAYLOAD: 9,
  THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE: 10,
  THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY: 11,
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION: 12,
  THIN_CLIENT_PROPAGATION_ERROR: 13,
  THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY: 14,
  THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY: 15,
  THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST: 16,
  THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST: 17,
  THIN_CLIENT_IMPOSSIBLE_HASH_ERROR: 18,
  THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR: 19,
  THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR: 20,
  THIN_CLIENT_CAPABILITY_ALREADY_IN_USE: 21,
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED: 22,
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED: 23,
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED: 24,
  THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG: 25,
  THIN_CLIENT_ERROR_COPY_COMMAND_FAILED: 26,
  THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE: 27,
  THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH: 28,
  THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID: 29,
  THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED: 30,
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE: 31,
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH: 32,
} as const;

/** Name of a code of the daemon. */
export type ThinClientErrorName = keyof typeof ThinClientErrorCode;

/** Codes of the storage replicas, by the name they have in every binding. */
export const ReplicaErrorCode = {
  REPLICA_SUCCESS: 0,
  REPLICA_ERROR_BOX_ID_NOT_FOUND: 1,
  REPLICA_ERROR_INVALID_BOX_ID: 2,
  REPLICA_ERROR_INVALID_SIGNATURE: 3,
  REPLICA_ERROR_DATABASE_FAILURE: 4,
  REPLICA_ERROR_INVALID_PAYLOAD: 5,
  REPLICA_ERROR_STORAGE_FULL: 6,
  REPLICA_ERROR_INTERNAL_ERROR: 7,
  REPLICA_ERROR_INVALID_EPOCH: 8,
  REPLICA_ERROR_REPLICATION_FAILED: 9,
  REPLICA_ERROR_BOX_ALREADY_EXISTS: 10,
  REPLICA_ERROR_TOMBSTONE: 11,
} as const;

/** Name of a code of the replicas. */
export type ReplicaErrorName = keyof typeof ReplicaErrorCode;

export const {
  THIN_CLIENT_SUCCESS,
  THIN_CLIENT_ERROR_CONNECTION_LOST,
  THIN_CLIENT_ERROR_TIMEOUT,
  THIN_CLIENT_ERROR_INVALID_REQUEST,
  THIN_CLIENT_ERROR_INTERNAL_ERROR,
  THIN_CLIENT_ERROR_MAX_RETRIES,
  THIN_CLIENT_ERROR_INVALID_CHANNEL,
  THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND,
  THIN_CLIENT_ERROR_PERMISSION_DENIED,
  THIN_CLIENT_ERROR_INVALID_PAYLOAD,
  THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE,
  THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY,
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION,
  THIN_CLIENT_PROPAGATION_ERROR,
  THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY,
  THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY,
  THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST,
  THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST,
  THIN_CLIENT_IMPOSSIBLE_HASH_ERROR,
  THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR,
  THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR,
  THIN_CLIENT_CAPABILITY_ALREADY_IN_USE,
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED,
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED,
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED,
  THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG,
  THIN_CLIENT_ERROR_COPY_COMMAND_FAILED,
  THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE,
  THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH,
  THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID,
  THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED,
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE,
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH,
} = ThinClientErrorCode;

export const {
  REPLICA_SUCCESS,
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
  REPLICA_ERROR_INVALID_BOX_ID,
  REPLICA_ERROR_INVALID_SIGNATURE,
  REPLICA_ERROR_DATABASE_FAILURE,
  REPLICA_ERROR_INVALID_PAYLOAD,
  REPLICA_ERROR_STORAGE_FULL,
  REPLICA_ERROR_INTERNAL_ERROR,
  REPLICA_ERROR_INVALID_EPOCH,
  REPLICA_ERROR_REPLICATION_FAILED,
  REPLICA_ERROR_BOX_ALREADY_EXISTS,
  REPLICA_ERROR_TOMBSTONE,
} = ReplicaErrorCode;

/** Texts of the daemon's codes, index = code. Protocol page, section 5.1. */
const thinClientTexts: readonly string[] = [
  "Success",
  "Connection lost",
  "Timeout",
  "Invalid request",
  "Internal error",
  "Maximum retries exceeded",
  "Invalid channel",
  "Channel not found",
  "Permission denied",
  "Invalid payload",
  "Service unavailable",
  "Duplicate capability",
  "Courier cache corruption",
  "Propagation error",
  "Invalid write capability",
  "Invalid read capability",
  "Invalid resume write channel request",
  "Invalid resume read channel request",
  "Impossible hash error",
  "Failed to create new write capability",
  "Failed to create new stateful writer",
  "Capability already in use",
  "MKEM decryption failed",
  "BACAP decryption failed",
  "Start resending cancelled",
  "Invalid tombstone signature",
  "Copy command failed",
  "Payload too large",
  "Voucher payload does not hash to the voucher",
  "Voucher signed please-add did not verify",
  "Voucher sealed reply could not be opened",
  "Courier rejected the envelope as malformed",
  "Courier rejected the envelope: replica epoch outside tolerance window",
];

/** The text of a code of the daemon; unknown ones read `Unknown thin client error code: N`. */
export function thinClientErrorToString(errorCode: number): string {
  return thinClientTexts[errorCode] ?? `Unknown thin client error code: ${errorCode}`;
}

const thinClientNames = new Map<number, ThinClientErrorName>(
  (Object.entries(ThinClientErrorCode) as [ThinClientErrorName, number][]).map(([name, code]) => [
    code,
    name,
  ]),
);

/** Name of a code of the daemon, or `THIN_CLIENT_ERROR_UNKNOWN`. */
export function thinClientErrorName(
  errorCode: number,
): ThinClientErrorName | "THIN_CLIENT_ERROR_UNKNOWN" {
  return thinClientNames.get(errorCode) ?? "THIN_CLIENT_ERROR_UNKNOWN";
}
