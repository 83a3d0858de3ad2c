/** The thin client: everything an application needs, named one by one. */

// The client
export { ThinClient } from "./client/thin-client.js";
export type { CallOptions } from "./client/call-options.js";
export type { EventHandler, EventsOptions, Registration } from "./client/event-hub.js";
export type { Logger } from "./client/logger.js";
export type { ReconnectOptions, ThinClientOptions } from "./client/options.js";
export type { DirectoryAuthority, RawPkiDocument } from "./client/pki-queries.js";
export type { ClientState, CloseReason } from "./client/session.js";

// Configuration
export { Config, type ConfigInit } from "./config/config.js";
export { ConfigFile } from "./config/config-file.js";
export type { EventHandlers } from "./config/handlers.js";
export type {
  ClientEvent,
  ClosedEvent,
  ConnectionStatusEvent,
  DaemonDisconnectedEvent,
  EventOf,
  EventType,
  HandlerErrorEvent,
  MessageIdGarbageCollectedEvent,
  MessageReplyEvent,
  MessageSentEvent,
  NewPkiDocumentEvent,
  ReconnectedEvent,
  ShutdownEvent,
} from "./config/events.js";
export {
  DialConfig,
  type DialInit,
  TcpDialConfig,
  UnixDialConfig,
  WsDialConfig,
} from "./transport/dial-config.js";
export type { Listener, Transport, TransportHandlers } from "./transport/transport.js";

// The network
export { PkiDocument } from "./pki/document.js";
export type { MixDescriptor, ReplicaDescriptor } from "./pki/mix-descriptor.js";
export { Geometry, Geometry as SphinxGeometry } from "./pki/geometry.js";
export { PigeonholeGeometry } from "./pki/pigeonhole-geometry.js";
export { type Destination, ServiceDescriptor, findServices } from "./pki/services.js";
export { type VerifiedDocument, verifyPkiDocument } from "./pki/verify.js";
export { prettyPrintObj, prettyPrintPkiDoc } from "./pki/pretty-print.js";

// Bytes
export {
  type Bytes,
  type PlainBytes,
  equalBytes,
  fromBase64,
  fromHex,
  toBase64,
  toHex,
  utf8,
  utf8ToText,
} from "./bytes/bytes.js";
export {
  EnvelopeDescriptor,
  EnvelopeHash,
  IdentityHash,
  MESSAGE_ID_SIZE,
  MessageBoxIndex,
  MessageId,
  QueryId,
  ReadCap,
  SURB_ID_SIZE,
  SurbId,
  WriteCap,
  WriteCapHash,
} from "./bytes/opaque.js";

// Errors
export {
  ReplicaErrorCode,
  type ReplicaErrorName,
  ThinClientErrorCode,
  type ThinClientErrorName,
  thinClientErrorName,
  thinClientErrorToString,
  REPLICA_ERROR_BOX_ALREADY_EXISTS,
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
  REPLICA_ERROR_DATABASE_FAILURE,
  REPLICA_ERROR_INTERNAL_ERROR,
  REPLICA_ERROR_INVALID_BOX_ID,
  REPLICA_ERROR_INVALID_EPOCH,
  REPLICA_ERROR_INVALID_PAYLOAD,
  REPLICA_ERROR_INVALID_SIGNATURE,
  REPLICA_ERROR_REPLICATION_FAILED,
  REPLICA_ERROR_STORAGE_FULL,
  REPLICA_ERROR_TOMBSTONE,
  REPLICA_SUCCESS,
  THIN_CLIENT_CAPABILITY_ALREADY_IN_USE,
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED,
  THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND,
  THIN_CLIENT_ERROR_CONNECTION_LOST,
  THIN_CLIENT_ERROR_COPY_COMMAND_FAILED,
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION,
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE,
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH,
  THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY,
  THIN_CLIENT_ERROR_INTERNAL_ERROR,
  THIN_CLIENT_ERROR_INVALID_CHANNEL,
  THIN_CLIENT_ERROR_INVALID_PAYLOAD,
  THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY,
  THIN_CLIENT_ERROR_INVALID_REQUEST,
  THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST,
  THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST,
  THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG,
  THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY,
  THIN_CLIENT_ERROR_MAX_RETRIES,
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED,
  THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE,
  THIN_CLIENT_ERROR_PERMISSION_DENIED,
  THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE,
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED,
  THIN_CLIENT_ERROR_TIMEOUT,
  THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH,
  THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED,
  THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID,
  THIN_CLIENT_IMPOSSIBLE_HASH_ERROR,
  THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR,
  THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR,
  THIN_CLIENT_PROPAGATION_ERROR,
  THIN_CLIENT_SUCCESS,
} from "./errors/codes.js";
export {
  BACAPDecryptionFailedError,
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  ClientClosedError,
  ConfigError,
  ConnectError,
  ConnectionLostError,
  CopyCommandFailedError,
  CourierCacheCorruptionError,
  CourierError,
  CourierInvalidEnvelopeError,
  CourierInvalidEpochError,
  CourierPropagationError,
  DaemonRequestError,
  DatabaseFailureError,
  InvalidBoxIDError,
  InvalidEpochError,
  InvalidPayloadError,
  InvalidSignatureError,
  InvalidStateError,
  InvalidTombstoneSignatureError,
  MKEMDecryptionFailedError,
  NotEnoughCouriersError,
  PayloadTooLargeError,
  PkiDocumentUnavailableError,
  PkiVerificationError,
  ProtocolError,
  ReplicaError,
  ReplicaInternalError,
  ReplicationFailedError,
  RequestTimeoutError,
  SendFailedError,
  ServiceNotFoundError,
  SlowConsumerError,
  StartResendingCancelledError,
  StorageFullError,
  ThinClientError,
  ThinClientOfflineError,
  TombstoneError,
  UnsupportedTransportError,
  VoucherError,
  VoucherHashMismatchError,
  VoucherSealOpenFailedError,
  VoucherSignatureInvalidError,
  hasCode,
  isExpectedOutcome,
  isThinClientError,
  type ErrorByCode,
  type ErrorCode,
  type ErrorDetails,
  type RequestErrorName,
} from "./errors/errors.js";
export {
  type CopyCommandReply,
  copyReplyToException,
  errorCodeToException,
} from "./errors/from-reply.js";
