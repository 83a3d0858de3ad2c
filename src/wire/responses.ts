/** Every reply and event a daemon can send. Protocol page, section 4. */
import type { Bytes } from "../bytes/bytes.js";
import type {
  EnvelopeDescriptor,
  EnvelopeHash,
  IdentityHash,
  MessageBoxIndex,
  MessageId,
  ReadCap,
  SurbId,
  WriteCap,
} from "../bytes/opaque.js";
import { ProtocolError } from "../errors/errors.js";
import { type Encodable, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import { firstKnown } from "./requests.js";
import * as s from "./schema.js";

const bytes = s.nullable(s.bytes);
const errorCode = ["error_code", s.uint(255)] as const;
// Go, Python and Rust alike ignore a reply whose ID is null or not theirs, so its length is not
// checked: one that differs matches no request.
const queryId = ["query_id", bytes] as const;
const writeCap = s.nullable(s.fixedBytes<WriteCap>(168));
const readCap = s.nullable(s.fixedBytes<ReadCap>(136));
const boxIndex = s.nullable(s.fixedBytes<MessageBoxIndex>(104));
const surbId = s.nullable(s.fixedBytes<SurbId>(16));
const messageId = s.nullable(s.fixedBytes<MessageId>(16));
const envelopes = s.nullable(s.arrayOf(s.bytes));

const encrypted = s.record({
  queryId,
  messageCiphertext: ["message_ciphertext", bytes],
  envelopeDescriptor: ["envelope_descriptor", s.nullable(s.bytesAs<EnvelopeDescriptor>())],
  envelopeHash: ["envelope_hash", s.nullable(s.fixedBytes<EnvelopeHash>(32))],
  nextMessageBoxIndex: ["next_message_box_index", boxIndex],
  errorCode,
});

const codeOnly = s.record({ queryId, errorCode });

const authority = s.record({
  identifier: ["identifier", s.text],
  pkiSignatureScheme: ["pki_signature_scheme", s.text],
  wireKemScheme: ["wire_kem_scheme", s.text],
  addresses: ["addresses", s.nullable(s.arrayOf(s.text))],
  identityPublicKeyPem: ["identity_public_key_pem", s.text],
  linkPublicKeyPem: ["link_public_key_pem", s.text],
  identityKeyHash: ["identity_key_hash", s.fixedBytes(32)],
});

/** One directory authority, as the daemon lists it. */
export type AuthorityRecord = s.TypeOf<typeof authority>;

/** Wire name and fields of each reply and event. */
export const responseSchemas = {
  sessionTokenReply: [
    "session_token_reply",
    s.record({ appId: ["app_id", s.nullable(s.fixedBytes(16))], resumed: ["resumed", s.bool] }),
  ],
  shutdownEvent: ["shutdown_event", s.record({})],
  connectionStatusEvent: [
    "connection_status_event",
    s.record({
      isConnected: ["is_connected", s.bool],
      err: ["err", s.anything],
      instanceToken: ["instance_token", s.nullable(s.fixedBytes(16))],
      sphinxGeometry: ["sphinx_geometry", s.anything],
      pigeonholeGeometry: ["pigeonhole_geometry", s.anything],
    }),
  ],
  newPkiDocumentEvent: ["new_pki_document_event", s.record({ payload: ["payload", bytes] })],
  messageSentEvent: [
    "message_sent_event",
    s.record({
      messageId: ["message_id", messageId],
      surbId: ["surbid", surbId],
      sentAt: ["sent_at", s.uint()],
      replyEta: ["reply_eta", s.uint()],
      err: ["err", s.optional(s.text)],
    }),
  ],
  messageReplyEvent: [
    "message_reply_event",
    s.record({
      messageId: ["message_id", messageId],
      surbId: ["surbid", surbId],
      payload: ["payload", bytes],
      replyIndex: ["reply_index", s.optional(s.uint(255))],
      errorCode,
    }),
  ],
  messageIdGarbageCollected: [
    "message_id_garbage_collected",
    s.record({ messageId: ["message_id", messageId] }),
  ],
  newKeypairReply: [
    "new_keypair_reply",
    s.record({
      queryId,
      writeCap: ["write_cap", writeCap],
      readCap: ["read_cap", readCap],
      firstMessageIndex: ["first_message_index", boxIndex],
      errorCode,
    }),
  ],
  encryptReadReply: ["encrypt_read_reply", encrypted],
  encryptWriteReply: ["encrypt_write_reply", encrypted],
  startResendingEncryptedMessageReply: [
    "start_resending_encrypted_message_reply",
    s.record({
      queryId,
      plaintext: ["plaintext", bytes],
      errorCode,
      courierIdentityHash: ["courier_identity_hash", s.nullable(s.fixedBytes<IdentityHash>(32))],
      courierQueueId: ["courier_queue_id", bytes],
    }),
  ],
  cancelResendingEncryptedMessageReply: ["cancel_resending_encrypted_message_reply", codeOnly],
  startResendingCopyCommandReply: [
    "start_resending_copy_command_reply",
    s.record({
      queryId,
      errorCode,
      replicaErrorCode: ["replica_error_code", s.optional(s.uint(255))],
      failedEnvelopeIndex: ["failed_envelope_index", s.optional(s.uint64)],
    }),
  ],
  cancelResendingCopyCommandReply: ["cancel_resending_copy_command_reply", codeOnly],
  nextMessageBoxIndexReply: [
    "next_message_box_index_reply",
    s.record({ queryId, nextMessageBoxIndex: ["next_message_box_index", boxIndex], errorCode }),
  ],
  getMessageBoxIndexCounterReply: [
    "get_message_box_index_counter_reply",
    s.record({ queryId, counter: ["counter", s.uint64], errorCode }),
  ],
  getPkiDocumentReply: [
    "get_pki_document_reply",
    s.record({ queryId, payload: ["payload", bytes], epoch: ["epoch", s.uint64], errorCode }),
  ],
  getDirectoryAuthoritiesReply: [
    "get_directory_authorities_reply",
    s.record({
      queryId,
      authorities: ["authorities", s.nullable(s.arrayOf(authority))],
      errorCode,
    }),
  ],
  createCourierEnvelopesFromPayloadReply: [
    "create_courier_envelopes_from_payload_reply",
    s.record({
      queryId,
      envelopes: ["envelopes", envelopes],
      nextDestIndex: ["next_dest_index", boxIndex],
      errorCode,
    }),
  ],
  createCourierEnvelopesFromMultiPayloadReply: [
    "create_courier_envelopes_from_multi_payload_reply",
    s.record({
      queryId,
      envelopes: ["envelopes", envelopes],
      buffer: ["buffer", bytes],
      nextDestIndices: [
        "next_dest_indices",
        s.nullable(s.arrayOf(s.fixedBytes<MessageBoxIndex>(104))),
      ],
      errorCode,
    }),
  ],
  createCourierEnvelopesFromTombstoneRangeReply: [
    "create_courier_envelopes_from_tombstone_range_reply",
    s.record({
      queryId,
      envelopes: ["envelopes", envelopes],
      buffer: ["buffer", bytes],
      nextDestIndex: ["next_dest_index", boxIndex],
      errorCode,
    }),
  ],
  voucherMintReply: [
    "voucher_mint_reply",
    s.record({
      queryId,
      voucher: ["voucher", s.nullable(s.fixedBytes(32))],
      voucherPayload: ["voucher_payload", bytes],
      voucherWriteCap: ["voucher_write_cap", writeCap],
      voucherReadCap: ["voucher_read_cap", readCap],
      voucherSecretKey: ["voucher_secret_key", s.nullable(s.fixedBytes(162))],
      voucherPublicKey: ["voucher_public_key", s.nullable(s.fixedBytes(160))],
      errorCode,
    }),
  ],
  voucherInductReply: [
    "voucher_induct_reply",
    s.record({
      queryId,
      displayName: ["display_name", s.nullable(s.text)],
      mutatedMessageReadCap: ["mutated_message_read_cap", readCap],
      sealedReply: ["sealed_reply", bytes],
      voucherWriteCap: ["voucher_write_cap", writeCap],
      voucherReadCap: ["voucher_read_cap", readCap],
      salt: ["salt", s.nullable(s.fixedBytes(32))],
      errorCode,
    }),
  ],
  voucherOpenReply: [
    "voucher_open_reply",
    s.record({
      queryId,
      whoReply: ["who_reply", bytes],
      salt: ["salt", s.nullable(s.fixedBytes(32))],
      mutatedMessageWriteCap: ["mutated_message_write_cap", writeCap],
      errorCode,
    }),
  ],
  voucherDeriveStreamReply: [
    "voucher_derive_stream_reply",
    s.record({
      queryId,
      voucherWriteCap: ["voucher_write_cap", writeCap],
      voucherReadCap: ["voucher_read_cap", readCap],
      errorCode,
    }),
  ],
} as const;

type Schemas = typeof responseSchemas;

/** Name of a reply or event. */
export type ResponseKind = keyof Schemas;

/** The fields of a reply or event. */
export type ResponseFields<K extends ResponseKind> = s.TypeOf<Schemas[K][1]>;

/** A reply or event of kind `K`; of any kind by default. */
export type DaemonResponse<K extends ResponseKind = ResponseKind> = {
  [N in K]: { readonly kind: N } & ResponseFields<N>;
}[K];

/** A reply that names its request but whose other fields cannot be used. */
export interface MalformedReply {
  readonly kind: "malformedReply";
  readonly queryId: Bytes;
  readonly error: ProtocolError;
}

const byWireName = new Map(
  Object.entries(responseSchemas).map(([kind, [wireName, schema]], rank) => [
    wireName as string,
    { kind: kind as ResponseKind, wireName: wireName as string, schema, rank },
  ]),
);

/** The body of a frame that carries `response`. */
export function encodeResponse(response: DaemonResponse): Bytes {
  const [wireName, schema] = responseSchemas[response.kind];
  return encodeCbor({ [wireName]: (schema as s.Schema<unknown>).encode(response) as Encodable });
}

/**
 * Reads the body of a daemon's frame. Null when it holds nothing that is known. A reply that is
 * wrong but names its request is given as {@link MalformedReply}, so that just that call fails.
 * @throws ProtocolError when it is not CBOR, no map, or an event has a field of the wrong type.
 */
export function decodeResponse(body: Uint8Array): DaemonResponse | MalformedReply | null {
  const value = decodeCbor(body);
  if (!(value instanceof Map)) throw new ProtocolError("a response must be a CBOR map");
  const found = firstKnown(value, byWireName);
  if (!found) return null;
  try {
    const fields = found.entry.schema.decode(found.value, found.entry.wireName);
    return { kind: found.entry.kind, ...fields } as DaemonResponse;
  } catch (error) {
    const id = found.value instanceof Map ? found.value.get("query_id") : null;
    if (!(error instanceof ProtocolError) || !(id instanceof Uint8Array)) throw error;
    return { kind: "malformedReply", queryId: id, error };
  }
}
