/**
 * One error for every code, as a reply or a step would cause it. The compiler requires every code.
 */
import type { MessageBoxIndex } from "../../src/bytes/opaque.js";
import * as channels from "../../src/errors/channel-errors.js";
import * as errors from "../../src/errors/errors.js";
import { daemonErrorFromCode, errorCodeToException } from "../../src/errors/from-reply.js";
import { CopyFailedError, TombstoneRangeError } from "../../src/errors/partial-results.js";
import { ThinClientErrorCode } from "../../src/errors/codes.js";

const replica = (code: number) => errorCodeToException(code)!;
const daemon = (name: keyof typeof ThinClientErrorCode) =>
  daemonErrorFromCode(ThinClientErrorCode[name])!;
const cause = new errors.StorageFullError();
const partial = { envelopes: [], next: new Uint8Array(104) as MessageBoxIndex };

/** An error of each code. */
export const errorSamples = {
  ERR_CONFIG: new errors.ConfigError("config"),
  ERR_CONNECT: new errors.ConnectError("connect"),
  ERR_UNSUPPORTED_TRANSPORT: new errors.UnsupportedTransportError("unsupported"),
  THIN_CLIENT_ERROR_CONNECTION_LOST: new errors.ConnectionLostError("lost"),
  ERR_CLOSED: new errors.ClientClosedError("closed"),
  ERR_INVALID_STATE: new errors.InvalidStateError("state"),
  ERR_PROTOCOL: new errors.ProtocolError("protocol"),
  ERR_OFFLINE: new errors.ThinClientOfflineError("offline"),
  ERR_TIMEOUT: new errors.RequestTimeoutError("timeout"),
  ERR_NO_PKI_DOCUMENT: new errors.PkiDocumentUnavailableError("no document"),
  ERR_PKI_VERIFICATION: new errors.PkiVerificationError(["no signature"]),
  ERR_SERVICE_NOT_FOUND: new errors.ServiceNotFoundError("no service"),
  ERR_NOT_ENOUGH_COURIERS: new errors.NotEnoughCouriersError("too few"),
  ERR_SLOW_CONSUMER: new errors.SlowConsumerError("slow"),
  ERR_SEND_FAILED: new errors.SendFailedError("not sent"),
  ERR_TOMBSTONE_RANGE: new TombstoneRangeError(cause, partial),
  ERR_COPY_FAILED: new CopyFailedError(cause, {
    phase: "copy",
    destination: null,
    boxesCopied: null,
  }),
  ERR_CHANNEL_FORKED: new channels.ChannelForkedError("to Bob", 7n),
  ERR_CHANNEL_STORE: new channels.ChannelStoreError("store"),
  ERR_CHANNEL_NOT_FOUND: new channels.ChannelNotFoundError("not found"),
  ERR_CHANNEL_EXISTS: new channels.ChannelExistsError("exists"),
  REPLICA_ERROR_BOX_ID_NOT_FOUND: replica(1),
  REPLICA_ERROR_INVALID_BOX_ID: replica(2),
  REPLICA_ERROR_INVALID_SIGNATURE: replica(3),
  REPLICA_ERROR_DATABASE_FAILURE: replica(4),
  REPLICA_ERROR_INVALID_PAYLOAD: replica(5),
  REPLICA_ERROR_STORAGE_FULL: replica(6),
  REPLICA_ERROR_INTERNAL_ERROR: replica(7),
  REPLICA_ERROR_INVALID_EPOCH: replica(8),
  REPLICA_ERROR_REPLICATION_FAILED: replica(9),
  REPLICA_ERROR_BOX_ALREADY_EXISTS: replica(10),
  REPLICA_ERROR_TOMBSTONE: replica(11),
  THIN_CLIENT_ERROR_TIMEOUT: daemon("THIN_CLIENT_ERROR_TIMEOUT"),
  THIN_CLIENT_ERROR_INVALID_REQUEST: daemon("THIN_CLIENT_ERROR_INVALID_REQUEST"),
  THIN_CLIENT_ERROR_INTERNAL_ERROR: daemon("THIN_CLIENT_ERROR_INTERNAL_ERROR"),
  THIN_CLIENT_ERROR_MAX_RETRIES: daemon("THIN_CLIENT_ERROR_MAX_RETRIES"),
  THIN_CLIENT_ERROR_INVALID_CHANNEL: daemon("THIN_CLIENT_ERROR_INVALID_CHANNEL"),
  THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND: daemon("THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND"),
  THIN_CLIENT_ERROR_PERMISSION_DENIED: daemon("THIN_CLIENT_ERROR_PERMISSION_DENIED"),
  THIN_CLIENT_ERROR_INVALID_PAYLOAD: daemon("THIN_CLIENT_ERROR_INVALID_PAYLOAD"),
  THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE: daemon("THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE"),
  THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY: daemon("THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY"),
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION: daemon("THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION"),
  THIN_CLIENT_PROPAGATION_ERROR: daemon("THIN_CLIENT_PROPAGATION_ERROR"),
  THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY: daemon("THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY"),
  THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY: daemon("THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY"),
  THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST: daemon(
    "THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST",
  ),
  THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST: daemon(
    "THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST",
  ),
  THIN_CLIENT_IMPOSSIBLE_HASH_ERROR: daemon("THIN_CLIENT_IMPOSSIBLE_HASH_ERROR"),
  THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR: daemon("THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR"),
  THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR: daemon(
    "THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR",
  ),
  THIN_CLIENT_CAPABILITY_ALREADY_IN_USE: daemon("THIN_CLIENT_CAPABILITY_ALREADY_IN_USE"),
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED: daemon("THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED"),
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED: daemon("THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED"),
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED: daemon(
    "THIN_CLIENT_ERROR_START_RESENDING_CANCELLED",
  ),
  THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG: daemon("THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG"),
  THIN_CLIENT_ERROR_COPY_COMMAND_FAILED: new errors.CopyCommandFailedError(10, 3n),
  THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE: daemon("THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE"),
  THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH: daemon("THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH"),
  THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID: daemon(
    "THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID",
  ),
  THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED: daemon("THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED"),
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE: daemon("THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE"),
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH: daemon("THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH"),
  THIN_CLIENT_ERROR_UNKNOWN: daemonErrorFromCode(200)!,
} as const satisfies Record<errors.ErrorCode, errors.ThinClientError>;
