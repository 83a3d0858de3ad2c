/** The numeric codes of daemon and replicas (spec/thin-protocol §5.1 and §5.3). */

/**
 * Codes of the daemon, with the name that they have in every binding. In the reply to
 * `start_resending_encrypted_message`, 1 to 11 are a replica's codes: see {@link ReplicaErrorCode}.
 */
export const ThinClientErrorCode = {
  /**
   * Success. For a write it means, by default, that a courier has taken it (spec/thin-protocol
   * §7.2).
   */
  THIN_CLIENT_SUCCESS: 0,
  /** Never sent; this library uses it for its own ConnectionLostError. */
  THIN_CLIENT_ERROR_CONNECTION_LOST: 1,
  /** The daemon gave up waiting. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_TIMEOUT: 2,
  /** A field is missing, or has a wrong length or value. */
  THIN_CLIENT_ERROR_INVALID_REQUEST: 3,
  /** No PKI document, no courier, or sealing the envelope failed. */
  THIN_CLIENT_ERROR_INTERNAL_ERROR: 4,
  /** The daemon reached its limit of attempts. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_MAX_RETRIES: 5,
  /** The daemon does not accept that channel. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_INVALID_CHANNEL: 6,
  /** The daemon does not know that channel. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND: 7,
  /** The daemon does not allow it. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_PERMISSION_DENIED: 8,
  /** The daemon does not accept that payload. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_INVALID_PAYLOAD: 9,
  /** No document for that epoch, or no authorities configured (spec/thin-protocol §4.8). */
  THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE: 10,
  /** The capability is already in use. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY: 11,
  /** A courier's code 2 for an envelope. */
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION: 12,
  /** A courier's code 3 for an envelope. */
  THIN_CLIENT_PROPAGATION_ERROR: 13,
  /** The write capability is invalid. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY: 14,
  /** The read capability is invalid. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY: 15,
  /** A write channel cannot be resumed like that. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST: 16,
  /** A read channel cannot be resumed like that. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST: 17,
  /** The daemon's hash function failed. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_IMPOSSIBLE_HASH_ERROR: 18,
  /** The daemon could not make a capability. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR: 19,
  /** The daemon could not make a writer. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR: 20,
  /** Another channel uses the capability. Reserved: v0.0.99 never sends it. */
  THIN_CLIENT_CAPABILITY_ALREADY_IN_USE: 21,
  /** No key of the envelope opens the replica's answer. */
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED: 22,
  /** The box is a different one than requested, has a bad signature, or cannot be decrypted. */
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED: 23,
  /**
   * The answer to a start that a cancel ended, before the cancel's own answer (spec/thin-protocol
   * §4.5).
   */
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED: 24,
  /** A replica's code 11 with a signature that is not the writer's. */
  THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG: 25,
  /** A courier gave up a copy; the reply has the replica's code and the envelope's number. */
  THIN_CLIENT_ERROR_COPY_COMMAND_FAILED: 26,
  /** Too many bytes. Reserved: v0.0.99 uses 3. */
  THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE: 27,
  /** The answer to `voucher_induct` if its payload does not belong to this voucher. */
  THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH: 28,
  /** The answer to `voucher_induct` if its payload is not signed by the key it names. */
  THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID: 29,
  /** The answer to `voucher_open` if the secret key does not open the sealed reply. */
  THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED: 30,
  /** A courier's code 1 for an envelope, and any unknown courier code. */
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE: 31,
  /** A courier's code 4: the envelope's replica epoch is off by more than one. */
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH: 32,
} as const;

/** Name of a code of the daemon. */
export type ThinClientErrorName = keyof typeof ThinClientErrorCode;

/** Codes of the storage replicas, with the name that they have in every binding. */
export const ReplicaErrorCode = {
  /** Read, stored, or already stored with the same bytes. */
  REPLICA_SUCCESS: 0,
  /** The box is empty, in the current replica epoch (a week) and in the last one. */
  REPLICA_ERROR_BOX_ID_NOT_FOUND: 1,
  /** The replica does not accept that box ID. */
  REPLICA_ERROR_INVALID_BOX_ID: 2,
  /** A write that is not signed under its box ID. */
  REPLICA_ERROR_INVALID_SIGNATURE: 3,
  /** The replica's storage failed. */
  REPLICA_ERROR_DATABASE_FAILURE: 4,
  /** A ciphertext whose length differs from the geometry's M + 20, or an unreadable message. */
  REPLICA_ERROR_INVALID_PAYLOAD: 5,
  /** No room for a new box; tombstones are still accepted. */
  REPLICA_ERROR_STORAGE_FULL: 6,
  /** The sender's public key cannot be used, or an internal failure. */
  REPLICA_ERROR_INTERNAL_ERROR: 7,
  /**
   * No key of the current, the last or the next replica epoch opens the envelope; or no document.
   */
  REPLICA_ERROR_INVALID_EPOCH: 8,
  /** The replica that passes the message on could not reach any of the box's shards. */
  REPLICA_ERROR_REPLICATION_FAILED: 9,
  /** A write of bytes that differ from the box's content; after a tombstone, of any bytes. */
  REPLICA_ERROR_BOX_ALREADY_EXISTS: 10,
  /** The box was deleted; the reply has the writer's signature that proves it. */
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

/** Texts of the daemon's codes, by code (spec/thin-protocol §5.1). */
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

/** The text of a daemon's code; unknown ones give `Unknown thin client error code: N`. */
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
