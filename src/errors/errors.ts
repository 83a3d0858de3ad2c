/**
 * The error classes: one base class, a string `code` to branch on, and the wire's number beside it.
 */
import type { ThinClientErrorName } from "./codes.js";
import * as codes from "./codes.js";
import type {
  ChannelExistsError,
  ChannelForkedError,
  ChannelNotFoundError,
  ChannelStoreError,
} from "./channel-errors.js";
import type { CopyFailedError, TombstoneRangeError } from "./partial-results.js";

/** The details of every error besides its message. */
export interface ErrorDetails {
  /** The call or step that failed, e.g. `blockingSendMessage`. */
  readonly operation?: string | null | undefined;
  /** The error that caused it. */
  readonly cause?: unknown;
}

// With this mark, two copies of the package in one program recognize each other's errors.
const mark = Symbol.for("katzenpost-thinclient.ThinClientError");

/** Base of all errors of this library, except for wrong arguments. */
export abstract class ThinClientError extends Error {
  /**
   * The name of the class. The library's own classes write it as text, because minifying renames
   * classes.
   */
  override name: string;
  /** Stable name of the error: a constant of the protocol if there is one, otherwise `ERR_…`. */
  abstract readonly code: ErrorCode;
  /** The number on the wire; null if the error did not come from a reply. */
  readonly errorCode: number | null;
  /** The call or step that failed; null if that says nothing. */
  readonly operation: string | null;
  /** Whether the same call, unchanged, may succeed later. */
  abstract readonly retryable: boolean;
  /** @internal */
  readonly [mark] = true;

  constructor(message: string, details: ErrorDetails = {}, errorCode: number | null = null) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.errorCode = errorCode;
    this.operation = details.operation ?? null;
  }

  /**
   * For JSON, as loggers write it: name and message (which JSON would leave out), the fields of the
   * class, and the cause. Fields that are not enumerable, because they may hold secrets, are left
   * out.
   */
  toJSON(): object {
    const { name, message, cause } = this;
    const fields = Object.entries(this).map(([key, value]: [string, unknown]) => [
      key,
      typeof value === "bigint" ? String(value) : value,
    ]);
    const told = { name, message, ...(Object.fromEntries(fields) as object) };
    return cause === undefined ? told : { ...told, cause: causeForJson(cause) };
  }

  /** Whether `error` has that `code`; then its class is known too. */
  static is<C extends ErrorCode>(error: unknown, code: C): error is ErrorByCode[C] {
    return hasCode(error, code);
  }
}

function causeForJson(cause: unknown): unknown {
  if (isThinClientError(cause)) return cause.toJSON();
  if (!(cause instanceof Error)) return String(cause);
  const { name, message } = cause;
  const { code } = cause as { readonly code?: unknown };
  return typeof code === "string" ? { name, message, code } : { name, message };
}

/** A configuration, an address or a store on disk cannot be used; the message says why. */
export class ConfigError extends ThinClientError {
  override name = "ConfigError";
  readonly code = "ERR_CONFIG";
  readonly retryable = false;
}

/** No connection to the daemon could be made. */
export class ConnectError extends ThinClientError {
  override name = "ConnectError";
  readonly code = "ERR_CONNECT";
  readonly retryable = true;
}

/** This platform cannot dial that kind of address, e.g. a Unix socket in a browser. */
export class UnsupportedTransportError extends ThinClientError {
  override name = "UnsupportedTransportError";
  readonly code = "ERR_UNSUPPORTED_TRANSPORT";
  readonly retryable = false;
}

/** The connection to the daemon was lost while a call was waiting. */
export class ConnectionLostError extends ThinClientError {
  override name = "ConnectionLostError";
  readonly code = "THIN_CLIENT_ERROR_CONNECTION_LOST";
  readonly retryable = true;
  constructor(message: string, details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_CONNECTION_LOST);
  }
}

/** The client was stopped or disconnected. */
export class ClientClosedError extends ThinClientError {
  override name = "ClientClosedError";
  readonly code = "ERR_CLOSED";
  readonly retryable = false;
}

/**
 * The state of a client, channel, group or daemon does not allow the call, e.g. before `start()`.
 */
export class InvalidStateError extends ThinClientError {
  override name = "InvalidStateError";
  readonly code = "ERR_INVALID_STATE";
  readonly retryable = false;
}

/** The peer sent something that the protocol does not allow. */
export class ProtocolError extends ThinClientError {
  override name = "ProtocolError";
  readonly code = "ERR_PROTOCOL";
  readonly retryable = false;
}

/** The daemon is reachable but not connected to the mixnet. */
export class ThinClientOfflineError extends ThinClientError {
  override name = "ThinClientOfflineError";
  readonly code = "ERR_OFFLINE";
  readonly retryable = true;
}

/** A call was not answered within its deadline. */
export class RequestTimeoutError extends ThinClientError {
  override name = "RequestTimeoutError";
  readonly code = "ERR_TIMEOUT";
  readonly retryable = true;
}

/** The PKI document is not available, for the requested epoch or at all. */
export class PkiDocumentUnavailableError extends ThinClientError {
  override name = "PkiDocumentUnavailableError";
  readonly code = "ERR_NO_PKI_DOCUMENT";
  readonly retryable = true;
}

/** A PKI document was not signed by its authorities, or cannot be used. */
export class PkiVerificationError extends ThinClientError {
  override name = "PkiVerificationError";
  readonly code = "ERR_PKI_VERIFICATION";
  readonly retryable = false;
  /** Every reason found, each as a phrase; at least one. */
  readonly reasons: readonly string[];
  constructor(reasons: readonly string[], details?: ErrorDetails) {
    const shown = reasons.slice(0, 8).join("; ") + (reasons.length > 8 ? "; …" : "");
    super(`PKI document not verified: ${shown}`, details);
    this.reasons = reasons;
  }
}

/** The network offers no service with that name. */
export class ServiceNotFoundError extends ThinClientError {
  override name = "ServiceNotFoundError";
  readonly code = "ERR_SERVICE_NOT_FOUND";
  readonly retryable = true;
}

/** The network has fewer couriers than requested. */
export class NotEnoughCouriersError extends ThinClientError {
  override name = "NotEnoughCouriersError";
  readonly code = "ERR_NOT_ENOUGH_COURIERS";
  readonly retryable = true;
}

/** An event reader fell behind by more than its queue holds. */
export class SlowConsumerError extends ThinClientError {
  override name = "SlowConsumerError";
  readonly code = "ERR_SLOW_CONSUMER";
  readonly retryable = false;
}

/** The daemon could not send the message; its text is the `cause`. */
export class SendFailedError extends ThinClientError {
  override name = "SendFailedError";
  readonly code = "ERR_SEND_FAILED";
  readonly retryable = true;
}

/** An error of a storage replica. */
export abstract class ReplicaError extends ThinClientError {}

/** The box is empty. Expected: see {@link isExpectedOutcome}. */
export class BoxIDNotFoundError extends ReplicaError {
  override name = "BoxIDNotFoundError";
  readonly code = "REPLICA_ERROR_BOX_ID_NOT_FOUND";
  readonly retryable = false;
  constructor(message = "box ID not found", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_BOX_ID_NOT_FOUND);
  }
}

/** The replica does not accept that box ID. */
export class InvalidBoxIDError extends ReplicaError {
  override name = "InvalidBoxIDError";
  readonly code = "REPLICA_ERROR_INVALID_BOX_ID";
  readonly retryable = false;
  constructor(message = "invalid box ID", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_INVALID_BOX_ID);
  }
}

/** The box's signature is invalid. */
export class InvalidSignatureError extends ReplicaError {
  override name = "InvalidSignatureError";
  readonly code = "REPLICA_ERROR_INVALID_SIGNATURE";
  readonly retryable = false;
  constructor(message = "invalid signature", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_INVALID_SIGNATURE);
  }
}

/** The replica's storage failed. */
export class DatabaseFailureError extends ReplicaError {
  override name = "DatabaseFailureError";
  readonly code = "REPLICA_ERROR_DATABASE_FAILURE";
  readonly retryable = true;
  constructor(message = "database failure", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_DATABASE_FAILURE);
  }
}

/** The box's ciphertext does not have the geometry's length. */
export class InvalidPayloadError extends ReplicaError {
  override name = "InvalidPayloadError";
  readonly code = "REPLICA_ERROR_INVALID_PAYLOAD";
  readonly retryable = false;
  constructor(message = "invalid payload", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_INVALID_PAYLOAD);
  }
}

/** The replica has no room. */
export class StorageFullError extends ReplicaError {
  override name = "StorageFullError";
  readonly code = "REPLICA_ERROR_STORAGE_FULL";
  readonly retryable = true;
  constructor(message = "storage full", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_STORAGE_FULL);
  }
}

/** An internal failure of the replica. */
export class ReplicaInternalError extends ReplicaError {
  override name = "ReplicaInternalError";
  readonly code = "REPLICA_ERROR_INTERNAL_ERROR";
  readonly retryable = true;
  constructor(message = "replica internal error", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_INTERNAL_ERROR);
  }
}

/** The envelope was made for an epoch whose key the replica does not have: encrypt again. */
export class InvalidEpochError extends ReplicaError {
  override name = "InvalidEpochError";
  readonly code = "REPLICA_ERROR_INVALID_EPOCH";
  readonly retryable = false;
  constructor(message = "invalid epoch", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_INVALID_EPOCH);
  }
}

/** The replica could not reach the replicas that are responsible for the box. */
export class ReplicationFailedError extends ReplicaError {
  override name = "ReplicationFailedError";
  readonly code = "REPLICA_ERROR_REPLICATION_FAILED";
  readonly retryable = true;
  constructor(message = "replication failed", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_REPLICATION_FAILED);
  }
}

/** The box already holds something else. Expected: see {@link isExpectedOutcome}. */
export class BoxAlreadyExistsError extends ReplicaError {
  override name = "BoxAlreadyExistsError";
  readonly code = "REPLICA_ERROR_BOX_ALREADY_EXISTS";
  readonly retryable = false;
  constructor(message = "box already exists", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_BOX_ALREADY_EXISTS);
  }
}

/** The box was deleted by its writer. Expected: see {@link isExpectedOutcome}. */
export class TombstoneError extends ReplicaError {
  override name = "TombstoneError";
  readonly code = "REPLICA_ERROR_TOMBSTONE";
  readonly retryable = false;
  constructor(message = "tombstone", details?: ErrorDetails) {
    super(message, details, codes.REPLICA_ERROR_TOMBSTONE);
  }
}

/** A courier's error about an envelope. */
export abstract class CourierError extends ThinClientError {}

/** The courier's cache entry for the envelope is damaged. */
export class CourierCacheCorruptionError extends CourierError {
  override name = "CourierCacheCorruptionError";
  readonly code = "THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION";
  readonly retryable = true;
  constructor(message = "courier cache corruption", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION);
  }
}

/** The courier could not pass the envelope on. */
export class CourierPropagationError extends CourierError {
  override name = "CourierPropagationError";
  readonly code = "THIN_CLIENT_PROPAGATION_ERROR";
  readonly retryable = true;
  constructor(message = "courier propagation error", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_PROPAGATION_ERROR);
  }
}

/** The courier could not read the envelope. */
export class CourierInvalidEnvelopeError extends CourierError {
  override name = "CourierInvalidEnvelopeError";
  readonly code = "THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE";
  readonly retryable = false;
  constructor(message = "courier rejected the envelope as malformed", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE);
  }
}

/**
 * The envelope was made for a replica epoch that the courier does not accept any more: encrypt
 * again.
 */
export class CourierInvalidEpochError extends CourierError {
  override name = "CourierInvalidEpochError";
  readonly code = "THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH";
  readonly retryable = false;
  constructor(
    message = "courier rejected the envelope: replica epoch outside tolerance window",
    details?: ErrorDetails,
  ) {
    super(message, details, codes.THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH);
  }
}

/** The reply could not be opened with the envelope's keys. */
export class MKEMDecryptionFailedError extends ThinClientError {
  override name = "MKEMDecryptionFailedError";
  readonly code = "THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED";
  readonly retryable = false;
  constructor(message = "MKEM decryption failed", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED);
  }
}

/** The box could not be opened with the given capability and index. */
export class BACAPDecryptionFailedError extends ThinClientError {
  override name = "BACAPDecryptionFailedError";
  readonly code = "THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED";
  readonly retryable = false;
  constructor(message = "BACAP decryption failed", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED);
  }
}

/** Another caller cancelled the operation. */
export class StartResendingCancelledError extends ThinClientError {
  override name = "StartResendingCancelledError";
  readonly code = "THIN_CLIENT_ERROR_START_RESENDING_CANCELLED";
  readonly retryable = false;
  constructor(message = "start resending cancelled", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_START_RESENDING_CANCELLED);
  }
}

/** A replica answered "tombstone" with an invalid signature. */
export class InvalidTombstoneSignatureError extends ThinClientError {
  override name = "InvalidTombstoneSignatureError";
  readonly code = "THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG";
  readonly retryable = false;
  constructor(message = "invalid tombstone signature", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG);
  }
}

/** A copy command stopped; envelopes before the failing one stay written. */
export class CopyCommandFailedError extends ThinClientError {
  override name = "CopyCommandFailedError";
  readonly code = "THIN_CLIENT_ERROR_COPY_COMMAND_FAILED";
  readonly retryable = false;
  /** The replica's code; 0 if no replica answered. */
  readonly replicaErrorCode: number;
  /** 1-based number of the failed envelope in the stream; 0n if it does not apply. */
  readonly failedEnvelopeIndex: bigint;
  constructor(replicaErrorCode = 0, failedEnvelopeIndex = 0n, details?: ErrorDetails) {
    super(
      `copy command failed: replica_error_code=${replicaErrorCode}, ` +
        `failed_envelope_index=${failedEnvelopeIndex}`,
      details,
      codes.THIN_CLIENT_ERROR_COPY_COMMAND_FAILED,
    );
    this.replicaErrorCode = replicaErrorCode;
    this.failedEnvelopeIndex = failedEnvelopeIndex;
  }
}

/** The daemon refused the payload as too large (local checks throw RangeError before that). */
export class PayloadTooLargeError extends ThinClientError {
  override name = "PayloadTooLargeError";
  readonly code = "THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE";
  readonly retryable = false;
  constructor(message = "payload too large", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE);
  }
}

/** A problem with a contact voucher. */
export abstract class VoucherError extends ThinClientError {}

/** The voucher payload does not hash to the voucher. */
export class VoucherHashMismatchError extends VoucherError {
  override name = "VoucherHashMismatchError";
  readonly code = "THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH";
  readonly retryable = false;
  constructor(message = "voucher payload does not hash to the voucher", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH);
  }
}

/** The voucher's signed please-add did not verify. */
export class VoucherSignatureInvalidError extends VoucherError {
  override name = "VoucherSignatureInvalidError";
  readonly code = "THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID";
  readonly retryable = false;
  constructor(message = "voucher signed please-add did not verify", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID);
  }
}

/** The voucher's sealed reply could not be opened. */
export class VoucherSealOpenFailedError extends VoucherError {
  override name = "VoucherSealOpenFailedError";
  readonly code = "THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED";
  readonly retryable = false;
  constructor(message = "voucher sealed reply could not be opened", details?: ErrorDetails) {
    super(message, details, codes.THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED);
  }
}

/** Any other code of the daemon. */
export class DaemonRequestError extends ThinClientError {
  override name = "DaemonRequestError";
  readonly code: RequestErrorName;
  readonly retryable: boolean;
  constructor(errorCode: number, details?: ErrorDetails) {
    const text = codes.thinClientErrorToString(errorCode) + (requestHints[errorCode] ?? "");
    super(details?.operation ? `${details.operation} failed: ${text}` : text, details, errorCode);
    this.code = codes.thinClientErrorName(errorCode) as RequestErrorName;
    this.retryable = retryableRequestCodes.has(errorCode);
  }
}

/** Details that the daemon's short texts leave open. */
const requestHints: Readonly<Record<number, string>> = {
  [codes.THIN_CLIENT_ERROR_INVALID_REQUEST]:
    " (the daemon refused an argument: it may be a damaged capability, or one with halves of two streams)",
  [codes.THIN_CLIENT_ERROR_INTERNAL_ERROR]:
    " (the daemon has no PKI document or courier, could not use an argument, such as an envelope " +
    "that was sealed on another network, or failed internally: see its log)",
};

const retryableRequestCodes = new Set<number>([
  codes.THIN_CLIENT_ERROR_TIMEOUT,
  codes.THIN_CLIENT_ERROR_INTERNAL_ERROR,
  codes.THIN_CLIENT_ERROR_MAX_RETRIES,
  codes.THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE,
]);

/**
 * The class of each code, and the calls that throw it. Writes that do not wait for the replicas
 * (`ifExists: "error"`, `noIdempotentBoxAlreadyExists`) rarely get a replica's code.
 */
interface SpecificErrors {
  /**
   * From `connect` with a path, all functions that make or read configurations, and daemons whose
   * address or store cannot be used.
   */
  ERR_CONFIG: ConfigError;
  /** From `start`, `connect` and every `dial`; later the client dials again automatically. */
  ERR_CONNECT: ConnectError;
  /** From `start`, `connect` and `dial` in browsers, which only have WebSockets. */
  ERR_UNSUPPORTED_TRANSPORT: UnsupportedTransportError;
  /** From sending plain messages; other calls are repeated. Code 1, never sent by daemons. */
  THIN_CLIENT_ERROR_CONNECTION_LOST: ConnectionLostError;
  /** From every call that waits when the client ends, and every later call. */
  ERR_CLOSED: ClientClosedError;
  /**
   * From a client's calls before `start`, a second `start`, and values that only the handshake
   * provides; from channels, groups, contacts and daemons that are closed or not ready.
   */
  ERR_INVALID_STATE: InvalidStateError;
  /** From `start` if the peer is not a daemon, calls with an unusable reply, and all decoders. */
  ERR_PROTOCOL: ProtocolError;
  /**
   * From sending plain messages while the daemon has no mixnet connection; other calls wait for it.
   */
  ERR_OFFLINE: ThinClientOfflineError;
  /** From every call that waits and has a deadline, its own or the default. */
  ERR_TIMEOUT: RequestTimeoutError;
  /** From `getPkiDocumentRaw`, `pkiDocumentForEpoch` and the look-up of services. */
  ERR_NO_PKI_DOCUMENT: PkiDocumentUnavailableError;
  /** From `verifyCertificate`, `verifyPkiDocument` and `verifyPkiDocumentWith`. */
  ERR_PKI_VERIFICATION: PkiVerificationError;
  /** From the look-up of services, including couriers. */
  ERR_SERVICE_NOT_FOUND: ServiceNotFoundError;
  /** From `getDistinctCouriers`. */
  ERR_NOT_ENOUGH_COURIERS: NotEnoughCouriersError;
  /** From the iterators of `events`. */
  ERR_SLOW_CONSUMER: SlowConsumerError;
  /** From `blockingSendMessage`; for `sendMessage` it is the `err` of a `messageSent` event. */
  ERR_SEND_FAILED: SendFailedError;
  /** From `tombstoneRange`. */
  ERR_TOMBSTONE_RANGE: TombstoneRangeError;
  /** From `copy`. */
  ERR_COPY_FAILED: CopyFailedError;
  /** From a channel's `send`, and the `stored` promise of its deliveries. */
  ERR_CHANNEL_FORKED: ChannelForkedError;
  /** From `openChannels`, and all functions that read or change its store. */
  ERR_CHANNEL_STORE: ChannelStoreError;
  /** From the look-up of channels. */
  ERR_CHANNEL_NOT_FOUND: ChannelNotFoundError;
  /** From making a channel. */
  ERR_CHANNEL_EXISTS: ChannelExistsError;
  /** Code 1. From reads that do not wait. */
  REPLICA_ERROR_BOX_ID_NOT_FOUND: BoxIDNotFoundError;
  /** Code 2. From reads and writes. */
  REPLICA_ERROR_INVALID_BOX_ID: InvalidBoxIDError;
  /** Code 3. From writes. */
  REPLICA_ERROR_INVALID_SIGNATURE: InvalidSignatureError;
  /** Code 4. From reads and writes. */
  REPLICA_ERROR_DATABASE_FAILURE: DatabaseFailureError;
  /** Code 5. From reads and writes. */
  REPLICA_ERROR_INVALID_PAYLOAD: InvalidPayloadError;
  /** Code 6. From writes. */
  REPLICA_ERROR_STORAGE_FULL: StorageFullError;
  /** Code 7. From reads and writes. */
  REPLICA_ERROR_INTERNAL_ERROR: ReplicaInternalError;
  /** Code 8. From reads and writes; `read` and `write` try other envelopes first. */
  REPLICA_ERROR_INVALID_EPOCH: InvalidEpochError;
  /** Code 9. From reads and writes. */
  REPLICA_ERROR_REPLICATION_FAILED: ReplicationFailedError;
  /** Code 10. From writes that wait for the replicas; as the `cause` of a failed copy. */
  REPLICA_ERROR_BOX_ALREADY_EXISTS: BoxAlreadyExistsError;
  /** Code 11. From reads. */
  REPLICA_ERROR_TOMBSTONE: TombstoneError;
  /** Code 12. From reads and writes; `read` and `write` try other envelopes first. */
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION: CourierCacheCorruptionError;
  /** Code 13. From reads and writes; `read` and `write` try other envelopes first. */
  THIN_CLIENT_PROPAGATION_ERROR: CourierPropagationError;
  /** Code 31. From reads and writes; `read` and `write` try other envelopes first. */
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE: CourierInvalidEnvelopeError;
  /** Code 32. From reads and writes; `read` and `write` try other envelopes first. */
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH: CourierInvalidEpochError;
  /** Code 22. From reads and writes; `read` and `write` try other envelopes first. */
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED: MKEMDecryptionFailedError;
  /** Code 23. From reads, and `openBox` and `decryptBox`. */
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED: BACAPDecryptionFailedError;
  /** Code 24. From the starts that a cancel names, and calls that use them. */
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED: StartResendingCancelledError;
  /** Code 25. From reads. */
  THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG: InvalidTombstoneSignatureError;
  /** Code 26. From `startResendingCopyCommand`; as the `cause` of a failed copy. */
  THIN_CLIENT_ERROR_COPY_COMMAND_FAILED: CopyCommandFailedError;
  /** Code 27. Daemons of v0.0.99 never send it (spec/thin-protocol §5.1). */
  THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE: PayloadTooLargeError;
  /** Code 28. From `voucherInduct`. */
  THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH: VoucherHashMismatchError;
  /** Code 29. From `voucherInduct`. */
  THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID: VoucherSignatureInvalidError;
  /** Code 30. From `voucherOpen`. */
  THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED: VoucherSealOpenFailedError;
}

/** The `code`s of {@link DaemonRequestError}. */
export type RequestErrorName =
  | Exclude<ThinClientErrorName, keyof SpecificErrors | "THIN_CLIENT_SUCCESS">
  | "THIN_CLIENT_ERROR_UNKNOWN";

/** From `code` to error class. */
export type ErrorByCode = SpecificErrors & Record<RequestErrorName, DaemonRequestError>;

/** Every possible `code` of this library's errors. */
export type ErrorCode = keyof SpecificErrors | RequestErrorName;

/** Whether `error` is one of this library's, from this copy of the package or another. */
export function isThinClientError(error: unknown): error is ErrorByCode[ErrorCode] {
  return typeof error === "object" && error !== null && mark in error;
}

/** Whether `error` has that `code`. */
export function hasCode<C extends ErrorCode>(error: unknown, code: C): error is ErrorByCode[C] {
  return isThinClientError(error) && error.code === code;
}

/**
 * Whether `error` is an outcome that a correct program meets in normal work: a box that is empty,
 * already taken, or deleted.
 */
export function isExpectedOutcome(
  error: unknown,
): error is TombstoneError | BoxIDNotFoundError | BoxAlreadyExistsError {
  return (
    hasCode(error, "REPLICA_ERROR_TOMBSTONE") ||
    hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND") ||
    hasCode(error, "REPLICA_ERROR_BOX_ALREADY_EXISTS")
  );
}
