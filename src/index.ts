/**
 * The Katzenpost thin client for TypeScript: a client of a Katzenpost daemon, which does the work
 * of the mixnet and of Pigeonhole, its storage. Runs in Node and in browsers.
 *
 * @example
 * await using client = await ThinClient.connect("thinclient.toml");
 * const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(seed);
 * await client.write(writeCap, firstMessageIndex, "hello");
 * const { plaintext } = await client.read(readCap, firstMessageIndex);
 * @module
 */

// The client
export { ThinClient } from "./client/thin-client.js";
export type {
  ClosingOptions,
  LivenessSettings,
  Logger,
  ReconnectOptions,
  ThinClientOptions,
} from "./client/options.js";
export type { CallOptions } from "./client/call-options.js";
export type { ClientState, CloseReason } from "./client/session.js";
export type { CallLoad } from "./client/calls.js";
export type { ClientLoad } from "./client/client-core.js";
export type { Metric, MetricsHook, RequestOutcome } from "./client/metrics.js";
export type { DirectoryAuthority, RawPkiDocument } from "./client/documents.js";
export type { Clock, Timer } from "./clock/clock.js";

// Events
export type { EventHandler, EventsOptions, Registration } from "./client/event-hub.js";
export type { ConfigHandler, EventHandlers } from "./config/handlers.js";
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

// Boxes
export {
  MAX_REFUSED_ENVELOPES,
  type ReadOptions,
  type ReadResult,
  type TombstoneProgress,
  type TombstoneRangeOptions,
  type WriteOptions,
  type WriteResult,
} from "./client/boxes.js";
export {
  type CopyDestination,
  type CopyOptions,
  type CopyProgress,
  type CopyResult,
  type CopySource,
} from "./client/copy.js";
export {
  type CopyCommandOptions,
  type CreateEnvelopesResult,
  type DestinationPayload,
  type MultiDestEnvelopes,
  type MultiPayloadEnvelopesRequest,
  type PayloadEnvelopesRequest,
  type SingleDestEnvelopes,
  type TombstoneEnvelopesRequest,
  writeCapHash,
} from "./client/copy-calls.js";
export type {
  EncryptReadResult,
  EncryptWriteResult,
  KeypairResult,
  ReadRequest,
  SealedEnvelope,
  StartResendingResult,
  TombstoneEnvelope,
  TombstoneRangeResult,
  WriteRequest,
} from "./client/envelopes.js";
export type {
  VoucherDeriveStreamResult,
  VoucherInductResult,
  VoucherMintResult,
  VoucherOpenResult,
  VoucherDeriveStreamResult as VoucherStreamResult,
} from "./client/voucher.js";

// Configuration and transport
export { Config, type ConfigInit } from "./config/config.js";
export { ConfigFile } from "./config/config-file.js";
export {
  DialConfig,
  type DialInit,
  TcpDialConfig,
  type TcpDialInit,
  UnixDialConfig,
  type UnixDialInit,
  WsDialConfig,
  type WsDialInit,
} from "./transport/dial-config.js";
export type { TcpNetwork } from "./platform/contract.js";
export { type Address, type HostPort, looksLikeAddress } from "./transport/address.js";
export type { DialCallOptions } from "./transport/dial-within.js";
export type { Listener, Transport, TransportHandlers } from "./transport/transport.js";

// The network
export {
  type AddressesByTransport,
  type KeysByEpoch,
  type MixDescriptor,
  type ReplicaDescriptor,
  type ServiceParameters,
} from "./pki/mix-descriptor.js";
export { PkiDocument, type SharedRandomByAuthority } from "./pki/document.js";
export { type Destination, ServiceDescriptor, findServices, identityHash } from "./pki/services.js";
export {
  Geometry,
  type GeometryFields,
  type GeometryParameters,
  SphinxGeometry,
} from "./pki/geometry.js";
export {
  type CopySizes,
  type CopyStreamPlan,
  MAX_COPY_BOXES,
  MAX_COPY_CALL_LENGTH,
  MAX_COPY_PAYLOAD_LENGTH,
  copyChunkLength,
  planCopyPayload,
} from "./pki/copy-stream-plan.js";
export { PigeonholeGeometry, type PigeonholeGeometryFields } from "./pki/pigeonhole-geometry.js";
export { prettyPrintObj, prettyPrintPkiDoc } from "./pki/pretty-print.js";
export {
  type CertificateChecks,
  type CertificateSigners,
  type DocumentChecks,
  type RejectedSigner,
  type VerifiedDocument,
  verifyCertificate,
  verifyPkiDocument,
} from "./pki/verify.js";
export type { AuthorityInput, AuthorityKey } from "./pki/authority-keys.js";
export {
  type Certificate,
  type CertificateSignature,
  decodeCertificate,
} from "./pki/certificate.js";
export {
  DEFAULT_EPOCH_MS,
  EPOCH_ZERO_MS,
  type EpochTime,
  REPLICA_EPOCH_MS,
  epochAt,
  epochLengthOf,
  epochStart,
  replicaEpoch,
} from "./pki/epoch.js";

// Bytes
export { blake2256Sum } from "./bytes/hash.js";
export { MAX_MESSAGE_SIZE } from "./wire/framing.js";
export {
  type Bytes,
  type PlainBytes,
  equalBytes,
  fromBase64,
  fromHex,
  randomBytes,
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
  type Opaque,
  type OpaqueCompanion,
  QueryId,
  ReadCap,
  SURB_ID_SIZE,
  SurbId,
  WriteCap,
  WriteCapHash,
} from "./bytes/opaque.js";

// Errors
export {
  ThinClientError,
  ConfigError,
  ConnectError,
  UnsupportedTransportError,
  ConnectionLostError,
  ClientClosedError,
  InvalidStateError,
  ProtocolError,
  ThinClientOfflineError,
  RequestTimeoutError,
  PkiDocumentUnavailableError,
  PkiVerificationError,
  ServiceNotFoundError,
  NotEnoughCouriersError,
  SlowConsumerError,
  SendFailedError,
  ReplicaError,
  BoxIDNotFoundError,
  InvalidBoxIDError,
  InvalidSignatureError,
  DatabaseFailureError,
  InvalidPayloadError,
  StorageFullError,
  ReplicaInternalError,
  InvalidEpochError,
  ReplicationFailedError,
  BoxAlreadyExistsError,
  TombstoneError,
  CourierError,
  CourierCacheCorruptionError,
  CourierPropagationError,
  CourierInvalidEnvelopeError,
  CourierInvalidEpochError,
  MKEMDecryptionFailedError,
  BACAPDecryptionFailedError,
  StartResendingCancelledError,
  InvalidTombstoneSignatureError,
  CopyCommandFailedError,
  PayloadTooLargeError,
  VoucherError,
  VoucherHashMismatchError,
  VoucherSignatureInvalidError,
  VoucherSealOpenFailedError,
  DaemonRequestError,
  type ErrorByCode,
  type ErrorCode,
  type ErrorDetails,
  type RequestErrorName,
  hasCode,
  isExpectedOutcome,
  isThinClientError,
} from "./errors/errors.js";
export {
  ChannelExistsError,
  ChannelForkedError,
  ChannelNotFoundError,
  ChannelStoreError,
} from "./errors/channel-errors.js";
export {
  CopyFailedError,
  type CopyFailurePlace,
  TombstoneRangeError,
} from "./errors/partial-results.js";
export {
  type CopyCommandReply,
  copyReplyToException,
  errorCodeToException,
} from "./errors/from-reply.js";

// Codes
export {
  ReplicaErrorCode,
  type ReplicaErrorName,
  ThinClientErrorCode,
  type ThinClientErrorName,
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
  thinClientErrorName,
  thinClientErrorToString,
} from "./errors/codes.js";

// For programs that inspect the daemon's messages
export type { DaemonResponse } from "./wire/responses.js";
