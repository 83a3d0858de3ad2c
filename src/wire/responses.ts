/** Every reply and event a daemon can send. spec/thin-protocol §4. */
import { type Bytes, isBytes } from "../bytes/bytes.js";
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
import { type Encodable, CborBudget, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import { type RequestFields, type RequestKind, firstKnown } from "./requests.js";
import * as s from "./schema.js";

const bytes = s.nullable(s.bytes);
const writeCap = s.nullable(s.fixedBytes<WriteCap>(168));
const readCap = s.nullable(s.fixedBytes<ReadCap>(136));
const boxIndex = s.nullable(s.fixedBytes<MessageBoxIndex>(104));
const surbId = s.nullable(s.fixedBytes<SurbId>(16));
const messageId = s.nullable(s.fixedBytes<MessageId>(16));

/** The first field of every reply. */
const answers = {
  // Go's, Python's and Rust's clients ignore a reply whose ID is null or not theirs. So its length
  // is not checked: a different one matches no request.
  /** The request's ID: 16 bytes, as they were received. A client ignores null or an unknown one. */
  queryId: ["query_id", bytes] as const,
};

/** The last field of every reply. If it is not 0, all fields but the query ID may be null. */
const verdict = {
  /** 0, or one of the daemon's codes (spec/thin-protocol §5.1). */
  errorCode: ["error_code", s.uint(255)] as const,
};

/** The elements from the builders of copy streams. */
const elements = {
  /** Elements, each the plaintext of one box of the temporary stream; null if there are none. */
  envelopes: ["envelopes", s.nullable(s.arrayOf(s.bytes))] as const,
};
/** What the builders keep for the next call. */
const remainder = {
  /** The bytes that did not fill an element, for the next request; null after the last. */
  buffer: ["buffer", bytes] as const,
};

/** The stream of a voucher. */
const voucherStream = {
  /** Writes the voucher's stream: 168 bytes. */
  voucherWriteCap: ["voucher_write_cap", writeCap] as const,
  /** Reads the voucher's stream: 136 bytes. */
  voucherReadCap: ["voucher_read_cap", readCap] as const,
};

const encrypted = s.record({
  ...answers,
  /** The bytes to send to a courier, unchanged; as long as the geometry's queries. */
  messageCiphertext: ["message_ciphertext", bytes],
  /** Opens the answer; it holds a private key. 201 bytes with CTIDH1024-X25519. */
  envelopeDescriptor: ["envelope_descriptor", s.nullable(s.bytesAs<EnvelopeDescriptor>())],
  /** BLAKE2b-256 of the envelope's sender key and ciphertext: 32 bytes, new each time. */
  envelopeHash: ["envelope_hash", s.nullable(s.fixedBytes<EnvelopeHash>(32))],
  /** The index of the next box: 104 bytes. */
  nextMessageBoxIndex: ["next_message_box_index", boxIndex],
  ...verdict,
});

const codeOnly = s.record({ ...answers, ...verdict });

const authority = s.record({
  /** Its name in the daemon's configuration. */
  identifier: ["identifier", s.text],
  /** Scheme of the identity key, e.g. `Ed25519`. */
  pkiSignatureScheme: ["pki_signature_scheme", s.text],
  /** KEM of the link key, e.g. `xwing`. */
  wireKemScheme: ["wire_kem_scheme", s.text],
  /** URLs; null if none are configured. */
  addresses: ["addresses", s.nullable(s.arrayOf(s.text))],
  /** PEM with the type SCHEME in capitals and ` PUBLIC KEY`; "" if unset. */
  identityPublicKeyPem: ["identity_public_key_pem", s.text],
  /** PEM with the type KEM in capitals and ` PUBLIC KEY`; "" if unset. */
  linkPublicKeyPem: ["link_public_key_pem", s.text],
  /** BLAKE2b-256 of the raw identity key, 32 bytes; certificates refer to the signer by it. */
  identityKeyHash: ["identity_key_hash", s.bytesOfLength(32)],
});

/** One directory authority, as the daemon lists it. */
export type AuthorityRecord = s.TypeOf<typeof authority>;

/** Wire name and fields of each reply and event. */
export const responseSchemas = {
  sessionTokenReply: [
    "session_token_reply",
    s.record({
      /** 16 bytes: the daemon's name for the session, the same as before if it was resumed. */
      appId: ["app_id", s.nullable(s.bytesOfLength(16))],
      /** Whether the daemon knew the token, and has its session. */
      resumed: ["resumed", s.bool],
    }),
  ],
  shutdownEvent: ["shutdown_event", s.record({})],
  connectionStatusEvent: [
    "connection_status_event",
    s.record({
      /**
       * Whether the daemon is connected to the mixnet; it may be true before the daemon ever tried.
       */
      isConnected: ["is_connected", s.bool],
      /** Null, because Go's client cannot read anything else. */
      err: ["err", s.anything],
      /** 16 bytes that identify the daemon process. */
      instanceToken: ["instance_token", s.nullable(s.bytesOfLength(16))],
      /** Map of the 14 members of spec/thin-protocol §6.3. */
      sphinxGeometry: ["sphinx_geometry", s.anything],
      /** Map of the 7 members of spec/thin-protocol §6.3. */
      pigeonholeGeometry: ["pigeonhole_geometry", s.anything],
    }),
  ],
  newPkiDocumentEvent: [
    "new_pki_document_event",
    s.record({
      /** The document without signatures, CBOR; null if there is none. */
      payload: ["payload", bytes],
    }),
  ],
  messageSentEvent: [
    "message_sent_event",
    s.record({
      /** 16 bytes of the request's `id`; null if it had none. */
      messageId: ["message_id", messageId],
      /** 16 bytes of the request's `surbid`. */
      surbId: ["surbid", surbId],
      /** Seconds since 1970. */
      sentAt: ["sent_at", s.uint()],
      /** The planned round-trip time, in nanoseconds. */
      replyEta: ["reply_eta", s.uint()],
      /** Why it was not sent, so that no reply will come; null, and left out, if it was sent. */
      err: ["err", s.optional(s.text)],
    }),
  ],
  messageReplyEvent: [
    "message_reply_event",
    s.record({
      /** 16 bytes of the request's `id`; null if it had none. */
      messageId: ["message_id", messageId],
      /** 16 bytes of the request's `surbid`. */
      surbId: ["surbid", surbId],
      /** ForwardPayloadLength bytes of the Sphinx geometry: the answer, then zeros. */
      payload: ["payload", bytes],
      /** Not used with plain messages; null is left out. */
      replyIndex: ["reply_index", s.optional(s.uint(255))],
      /** Always 0. */
      errorCode: ["error_code", s.uint(255)],
    }),
  ],
  messageIdGarbageCollected: [
    "message_id_garbage_collected",
    s.record({
      /**
       * 16 bytes of the request's `id`. No daemon of v0.0.99 sends this event (spec/thin-protocol
       * §3.2).
       */
      messageId: ["message_id", messageId],
    }),
  ],
  newKeypairReply: [
    "new_keypair_reply",
    s.record({
      ...answers,
      /** 168 bytes. Secret. */
      writeCap: ["write_cap", writeCap],
      /** 136 bytes. */
      readCap: ["read_cap", readCap],
      /** The stream's first box: 104 bytes. */
      firstMessageIndex: ["first_message_index", boxIndex],
      ...verdict,
    }),
  ],
  encryptReadReply: ["encrypt_read_reply", encrypted],
  encryptWriteReply: ["encrypt_write_reply", encrypted],
  startResendingEncryptedMessageReply: [
    "start_resending_encrypted_message_reply",
    s.record({
      ...answers,
      /** The content of the box; null for writes and errors. */
      plaintext: ["plaintext", bytes],
      /**
       * 0; 1 to 11: a replica's code; 12 and up: the daemon's. For 3 and 4, the courier's presence
       * tells whose.
       */
      errorCode: ["error_code", s.uint(255)],
      /** The node of the courier that was used: 32 bytes; null if the start was refused. */
      courierIdentityHash: ["courier_identity_hash", s.nullable(s.fixedBytes<IdentityHash>(32))],
      /** The courier's endpoint, 1 to 32 bytes; null if the start was refused. */
      courierQueueId: ["courier_queue_id", bytes],
    }),
  ],
  cancelResendingEncryptedMessageReply: ["cancel_resending_encrypted_message_reply", codeOnly],
  startResendingCopyCommandReply: [
    "start_resending_copy_command_reply",
    s.record({
      ...answers,
      ...verdict,
      /** With code 26 the replica's code; null, and left out, if none answered. */
      replicaErrorCode: ["replica_error_code", s.optional(s.uint(255))],
      /**
       * With code 26 the number of the failed envelope in the stream, from 1; null, and left out,
       * if unknown.
       */
      failedEnvelopeIndex: ["failed_envelope_index", s.optional(s.uint64)],
    }),
  ],
  cancelResendingCopyCommandReply: ["cancel_resending_copy_command_reply", codeOnly],
  nextMessageBoxIndexReply: [
    "next_message_box_index_reply",
    s.record({
      ...answers,
      /** The index of the next box: 104 bytes. */
      nextMessageBoxIndex: ["next_message_box_index", boxIndex],
      ...verdict,
    }),
  ],
  getMessageBoxIndexCounterReply: [
    "get_message_box_index_counter_reply",
    s.record({
      ...answers,
      /** The box's number in its stream, usually above 2^53; 0 with an error. */
      counter: ["counter", s.uint64],
      ...verdict,
    }),
  ],
  getPkiDocumentReply: [
    "get_pki_document_reply",
    s.record({
      ...answers,
      /** The signed certificate, CBOR; null or empty with an error (code 10: not kept). */
      payload: ["payload", bytes],
      /** The document's epoch; with an error the requested one, or the current one. */
      epoch: ["epoch", s.uint64],
      ...verdict,
    }),
  ],
  getDirectoryAuthoritiesReply: [
    "get_directory_authorities_reply",
    s.record({
      ...answers,
      /** The configured authorities; null or empty with an error (code 10: there are none). */
      authorities: ["authorities", s.nullable(s.arrayOf(authority))],
      ...verdict,
    }),
  ],
  createCourierEnvelopesFromPayloadReply: [
    "create_courier_envelopes_from_payload_reply",
    s.record({
      ...answers,
      ...elements,
      /** The index after the last box that the elements write: 104 bytes. */
      nextDestIndex: ["next_dest_index", boxIndex],
      ...verdict,
    }),
  ],
  createCourierEnvelopesFromMultiPayloadReply: [
    "create_courier_envelopes_from_multi_payload_reply",
    s.record({
      ...answers,
      ...elements,
      ...remainder,
      /**
       * The index after the last box at each destination, 104 bytes each, in the request's order.
       */
      nextDestIndices: [
        "next_dest_indices",
        s.nullable(s.arrayOf(s.fixedBytes<MessageBoxIndex>(104))),
      ],
      ...verdict,
    }),
  ],
  createCourierEnvelopesFromTombstoneRangeReply: [
    "create_courier_envelopes_from_tombstone_range_reply",
    s.record({
      ...answers,
      ...elements,
      ...remainder,
      /** The index after the last box that the elements delete: 104 bytes. */
      nextDestIndex: ["next_dest_index", boxIndex],
      ...verdict,
    }),
  ],
  voucherMintReply: [
    "voucher_mint_reply",
    s.record({
      ...answers,
      /** BLAKE2b-256 of the payload: 32 bytes. */
      voucher: ["voucher", s.nullable(s.bytesOfLength(32))],
      /** The content for box 0 of the voucher's stream. */
      voucherPayload: ["voucher_payload", bytes],
      ...voucherStream,
      /** Opens the sealed reply: 162 bytes. Secret. */
      voucherSecretKey: ["voucher_secret_key", s.nullable(s.bytesOfLength(162))],
      /** 160 bytes, which the payload also contains. */
      voucherPublicKey: ["voucher_public_key", s.nullable(s.bytesOfLength(160))],
      ...verdict,
    }),
  ],
  voucherInductReply: [
    "voucher_induct_reply",
    s.record({
      ...answers,
      /** The newcomer's name; a stranger may choose anything. */
      displayName: ["display_name", s.nullable(s.text)],
      /** Reads the newcomer's stream as mutated by `salt`: 136 bytes. */
      mutatedMessageReadCap: ["mutated_message_read_cap", readCap],
      /** The content for box 1 of the voucher's stream. */
      sealedReply: ["sealed_reply", bytes],
      ...voucherStream,
      /** 32 random bytes, which the sealed reply also contains. */
      salt: ["salt", s.nullable(s.bytesOfLength(32))],
      ...verdict,
    }),
  ],
  voucherOpenReply: [
    "voucher_open_reply",
    s.record({
      ...answers,
      /** The member's message to the newcomer. */
      whoReply: ["who_reply", bytes],
      /** 32 random bytes from the member. */
      salt: ["salt", s.nullable(s.bytesOfLength(32))],
      /** Writes the newcomer's stream as mutated by `salt`: 168 bytes. */
      mutatedMessageWriteCap: ["mutated_message_write_cap", writeCap],
      ...verdict,
    }),
  ],
  voucherDeriveStreamReply: [
    "voucher_derive_stream_reply",
    s.record({ ...answers, ...voucherStream, ...verdict }),
  ],
} as const;

type Schemas = typeof responseSchemas;

/** Name of a reply or event. */
export type ResponseKind = keyof Schemas;

/** The fields of a reply or event, written out so that editors show them. */
export type ResponseFields<K extends ResponseKind> = K extends ResponseKind
  ? { readonly [N in keyof s.TypeOf<Schemas[K][1]>]: s.TypeOf<Schemas[K][1]>[N] }
  : never;

/** A reply or event of kind `K`; of any kind by default. */
export type DaemonResponse<K extends ResponseKind = ResponseKind> = {
  [N in K]: {
    /** The name of the reply or event on the wire, in camelCase. */
    readonly kind: N;
  } & ResponseFields<N>;
}[K];

/** A reply that names its request but has other fields that cannot be used. */
export interface MalformedReply {
  /** Not a kind of the wire: only {@link decodeResponse} returns it. */
  readonly kind: "malformedReply";
  /** The request's ID from the reply, of any length. */
  readonly queryId: Bytes;
  /** Which field is wrong, and how. */
  readonly error: ProtocolError;
}

const byWireName = new Map(
  Object.entries(responseSchemas).map(([kind, [wireName, schema]], rank) => [
    wireName as string,
    { kind: kind as ResponseKind, wireName: wireName as string, schema, rank },
  ]),
);

/** The body of a daemon's frame, to encode as CBOR. */
export function responseBody(response: DaemonResponse): Encodable {
  const [wireName, schema] = responseSchemas[response.kind];
  return { [wireName]: (schema as s.Schema<unknown>).encode(response) as Encodable };
}

/** The body of a frame that carries `response`. */
export function encodeResponse(response: DaemonResponse): Bytes {
  return encodeCbor(responseBody(response));
}

/** Responses whose bytes are CBOR themselves: a document, and a document in a certificate. */
const carriesCbor: ReadonlySet<ResponseKind> = new Set<ResponseKind>([
  "newPkiDocumentEvent",
  "getPkiDocumentReply",
]);
const budgets = new WeakMap<DaemonResponse, CborBudget>();

/**
 * The item budget that is left after reading the frame of `response`, for CBOR nested in it; a full
 * budget for a response that did not come in a frame.
 */
export function budgetOf(response: DaemonResponse): CborBudget {
  return budgets.get(response) ?? new CborBudget();
}

/**
 * Reads the body of a daemon's frame. Null if it holds nothing known. An invalid reply that names
 * its request is returned as {@link MalformedReply}, so that only that call fails.
 * @throws ProtocolError when it is not CBOR, not a map, or has a field of the wrong type and does
 * not name its request, as events do not.
 */
export function decodeResponse(body: Uint8Array): DaemonResponse | MalformedReply | null {
  const budget = new CborBudget();
  const value = decodeCbor(body, budget);
  if (!(value instanceof Map)) throw new ProtocolError("a response must be a CBOR map");
  const found = firstKnown(value, byWireName);
  if (!found) return null;
  try {
    const fields = found.entry.schema.decode(found.value, found.entry.wireName);
    const response = { kind: found.entry.kind, ...fields } as DaemonResponse;
    if (carriesCbor.has(response.kind)) budgets.set(response, budget);
    return response;
  } catch (error) {
    const id = found.value instanceof Map ? found.value.get("query_id") : null;
    if (!(error instanceof ProtocolError) || !isBytes(id)) throw error;
    return { kind: "malformedReply", queryId: id, error };
  }
}

/** Requests that get their own reply, with the same query ID. */
export type QueryKind = {
  [K in RequestKind]: `${K}Reply` extends ResponseKind
    ? "queryId" extends keyof RequestFields<K>
      ? K
      : never
    : never;
}[RequestKind];

/** The reply to a request of kind `K`. */
export type ReplyTo<K extends QueryKind> = DaemonResponse<Extract<`${K}Reply`, ResponseKind>>;

/** The fields of a request without its query ID. */
export type QueryFields<K extends QueryKind> = Omit<RequestFields<K>, "queryId">;
