/** Every request a client can send. spec/thin-protocol §4. */
import type { Bytes } from "../bytes/bytes.js";
import type { SurbId } from "../bytes/opaque.js";
import { ProtocolError } from "../errors/errors.js";
import { type CborMap, type Encodable, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import * as s from "./schema.js";

// Here, a request's byte strings may have any length. The daemon answers a wrong length with an
// error code; upstream's disconnects clients that send capabilities and indices of a wrong length
// (spec/thin-protocol §10, defect 13).
const bytes = s.nullable(s.bytes);

/** The first field of every request that gets its own reply. */
const query = {
  /**
   * 16 bytes, repeated in the reply. Null: starts and cancels get code 3; other requests are not
   * checked.
   */
  queryId: ["query_id", bytes] as const,
};

/** The fields that requests for copy streams share. */
const ends = {
  /** Whether the first element is marked as the stream's start. */
  isStart: ["is_start", s.bool] as const,
  /**
   * Whether the last element is marked as the stream's end; then nothing is kept for a next call.
   */
  isLast: ["is_last", s.bool] as const,
};

const destination = s.record({
  /** At most 10 MiB, otherwise code 3. */
  payload: ["payload", bytes],
  /** 168 bytes. Null: code 3. */
  writeCap: ["write_cap", bytes],
  /** The first box to write: 104 bytes. Null: code 3. */
  startIndex: ["start_index", bytes],
});

/**
 * Wire name and fields of each request, in the daemon's order of precedence: control, local
 * requests, then those that send packets (spec/thin-protocol §4, "Dispatch classes").
 */
export const requestSchemas = {
  thinClose: ["thin_close", s.record({})],
  sessionToken: [
    "session_token",
    s.record({
      /** 16 random bytes, chosen once per client; a known token resumes its session. */
      clientInstanceToken: ["client_instance_token", bytes],
    }),
  ],
  newKeypair: [
    "new_keypair",
    s.record({
      ...query,
      /** 32 bytes, otherwise code 3; the same seed gives the same stream. */
      seed: ["seed", bytes],
    }),
  ],
  encryptRead: [
    "encrypt_read",
    s.record({
      ...query,
      /** 136 bytes. Null: code 3. */
      readCap: ["read_cap", bytes],
      /** The box to read: 104 bytes. Null: code 3. */
      messageBoxIndex: ["message_box_index", bytes],
    }),
  ],
  encryptWrite: [
    "encrypt_write",
    s.record({
      ...query,
      /** Up to MaxPlaintextPayloadLength bytes; 0 bytes make a tombstone. More, or null: code 3. */
      plaintext: ["plaintext", bytes],
      /** 168 bytes. Null: code 3. */
      writeCap: ["write_cap", bytes],
      /** The box to write: 104 bytes. Null: code 3. */
      messageBoxIndex: ["message_box_index", bytes],
    }),
  ],
  cancelResendingEncryptedMessage: [
    "cancel_resending_encrypted_message",
    s.record({
      ...query,
      /** The operation: 32 bytes. Null: code 3; an unknown one also counts as success. */
      envelopeHash: ["envelope_hash", bytes],
    }),
  ],
  cancelResendingCopyCommand: [
    "cancel_resending_copy_command",
    s.record({
      ...query,
      /**
       * The copy: BLAKE2b-256 of its write cap, 32 bytes. Null: code 3; an unknown one: success.
       */
      writeCapHash: ["write_cap_hash", bytes],
    }),
  ],
  nextMessageBoxIndex: [
    "next_message_box_index",
    s.record({
      ...query,
      /** The box before: 104 bytes. Null: code 3. */
      messageBoxIndex: ["message_box_index", bytes],
    }),
  ],
  getMessageBoxIndexCounter: [
    "get_message_box_index_counter",
    s.record({
      ...query,
      /** The box whose number is requested: 104 bytes. Null: code 3. */
      messageBoxIndex: ["message_box_index", bytes],
    }),
  ],
  getPkiDocument: [
    "get_pki_document",
    s.record({
      ...query,
      /** 0: the current one, or that of the epoch before if it is missing. */
      epoch: ["epoch", s.uint64],
    }),
  ],
  getDirectoryAuthorities: ["get_directory_authorities", s.record({ ...query })],
  createCourierEnvelopesFromPayload: [
    "create_courier_envelopes_from_payload",
    s.record({
      ...query,
      /**
       * At most 10 MiB, otherwise code 3. An empty payload makes no element, so it cannot end a
       * stream.
       */
      payload: ["payload", bytes],
      /** 168 bytes. Null: code 3. */
      destWriteCap: ["dest_write_cap", bytes],
      /** The first box to write: 104 bytes. Null: code 3. */
      destStartIndex: ["dest_start_index", bytes],
      ...ends,
    }),
  ],
  createCourierEnvelopesFromMultiPayload: [
    "create_courier_envelopes_from_multi_payload",
    s.record({
      ...query,
      /** At least one, otherwise code 3. */
      destinations: ["destinations", s.nullable(s.arrayOf(destination))],
      ...ends,
      /** The `buffer` of the previous reply; null at the start of a stream. */
      buffer: ["buffer", bytes],
    }),
  ],
  createCourierEnvelopesFromTombstoneRange: [
    "create_courier_envelopes_from_tombstone_range",
    s.record({
      ...query,
      /** 168 bytes. Null: code 3. */
      destWriteCap: ["dest_write_cap", bytes],
      /** The first box to delete: 104 bytes. Null: code 3. */
      destStartIndex: ["dest_start_index", bytes],
      /** How many consecutive boxes. With 0, upstream drops `buffer` (defect 20). */
      maxCount: ["max_count", s.uint(0xffff_ffff)],
      ...ends,
      /** The `buffer` of the previous reply; null at the start of a stream. */
      buffer: ["buffer", bytes],
    }),
  ],
  voucherMint: [
    "voucher_mint",
    s.record({
      ...query,
      /** Writes the newcomer's own messages: 168 bytes, otherwise code 3. */
      messageWriteCap: ["message_write_cap", bytes],
      /** The newcomer's name; the payload contains it in clear. */
      displayName: ["display_name", s.nullable(s.text)],
    }),
  ],
  voucherInduct: [
    "voucher_induct",
    s.record({
      ...query,
      /** 32 bytes, otherwise code 3. */
      voucher: ["voucher", bytes],
      /**
       * Box 0 of the voucher's stream. If it belongs to another voucher: code 28; with a bad
       * signature: code 29.
       */
      voucherPayload: ["voucher_payload", bytes],
      /** The message for the newcomer; sealed, never inspected. */
      whoReply: ["who_reply", bytes],
    }),
  ],
  voucherOpen: [
    "voucher_open",
    s.record({
      ...query,
      /** 162 bytes from the mint reply, otherwise code 3. */
      voucherSecretKey: ["voucher_secret_key", bytes],
      /** Box 1 of the voucher's stream; code 30 if the key does not open it. */
      sealedReply: ["sealed_reply", bytes],
      /** The capability that the voucher was minted for: 168 bytes, otherwise code 3. */
      messageWriteCap: ["message_write_cap", bytes],
    }),
  ],
  voucherDeriveStream: [
    "voucher_derive_stream",
    s.record({
      ...query,
      /** 32 bytes, otherwise code 3. */
      voucher: ["voucher", bytes],
    }),
  ],
  sendMessage: [
    "send_message",
    s.record({
      /** 16 bytes that the events repeat as `messageId`; today's clients send null. */
      id: ["id", bytes],
      /** Whether a reply is wanted; without it, nothing reports what happened to the message. */
      withSurb: ["with_surb", s.bool],
      /** 16 bytes, new each time; null exactly if `withSurb` is false. */
      surbId: ["surbid", s.nullable(s.bytesAs<SurbId>())],
      /** The service node: BLAKE2b-256 of its identity key, 32 bytes. */
      destinationIdHash: ["destination_id_hash", bytes],
      /** The endpoint on that node: 1 to 32 bytes, e.g. `+echo`. */
      recipientQueueId: ["recipient_queue_id", bytes],
      /** At most UserForwardPayloadLength bytes of the Sphinx geometry. */
      payload: ["payload", bytes],
    }),
  ],
  startResendingEncryptedMessage: [
    "start_resending_encrypted_message",
    s.record({
      ...query,
      /** For a read: 136 bytes. Both capabilities, or neither: code 3. */
      readCap: ["read_cap", bytes],
      /**
       * For a write: 168 bytes. It only marks the request as a write, because the envelope is
       * already signed.
       */
      writeCap: ["write_cap", bytes],
      /** 104 bytes, for reads: null ends in code 4, another length in 23. Ignored in a write. */
      messageBoxIndex: ["message_box_index", bytes],
      /** Accepted and ignored; null is left out. */
      replyIndex: ["reply_index", s.optional(s.uint(255))],
      /** From the encrypt reply; null or empty: code 3. */
      envelopeDescriptor: ["envelope_descriptor", bytes],
      /** From the encrypt reply, sent unchanged. Null or empty: code 3; longer than a query: 4. */
      messageCiphertext: ["message_ciphertext", bytes],
      /**
       * 32 bytes: cancels refer to the operation by it. Null: code 3. Not compared with anything.
       */
      envelopeHash: ["envelope_hash", bytes],
      /** Reads: return code 1 for an empty box, do not ask again. Left out if false. */
      noRetryOnBoxIdNotFound: ["no_retry_on_box_id_not_found", s.omittedFlag],
      /**
       * Writes: wait for the replicas' answer, including code 10, not just a courier's. Left out if
       * false.
       */
      noIdempotentBoxAlreadyExists: ["no_idempotent_box_already_exists", s.omittedFlag],
    }),
  ],
  startResendingCopyCommand: [
    "start_resending_copy_command",
    s.record({
      ...query,
      /**
       * The capability of the temporary stream, which is read from the cap's own index on: 168
       * bytes. Null: code 3.
       */
      writeCap: ["write_cap", bytes],
      /**
       * The courier's node, 32 bytes; a random courier unless both fields are set. Null is left
       * out.
       */
      courierIdentityHash: ["courier_identity_hash", s.optional(s.bytes)],
      /** The courier's endpoint, 1 to 32 bytes. Null is left out. */
      courierQueueId: ["courier_queue_id", s.optional(s.bytes)],
    }),
  ],
} as const;

type Schemas = typeof requestSchemas;

/** Name of a request. */
export type RequestKind = keyof Schemas;

/** The fields of a request, written out so that editors show them. */
export type RequestFields<K extends RequestKind> = K extends RequestKind
  ? { readonly [N in keyof s.TypeOf<Schemas[K][1]>]: s.TypeOf<Schemas[K][1]>[N] }
  : never;

/** A request of kind `K`; of any kind by default. */
export type DaemonRequest<K extends RequestKind = RequestKind> = {
  [N in K]: {
    /** The name of the request on the wire, in camelCase. */
    readonly kind: N;
  } & RequestFields<N>;
}[K];

const byWireName = new Map(
  Object.entries(requestSchemas).map(([kind, [wireName, schema]], rank) => [
    wireName as string,
    { kind: kind as RequestKind, wireName: wireName as string, schema, rank },
  ]),
);

/** The body of a client's frame, to encode as CBOR. */
export function requestBody(request: DaemonRequest): Encodable {
  const [wireName, schema] = requestSchemas[request.kind];
  return { [wireName]: (schema as s.Schema<unknown>).encode(request) as Encodable };
}

/** The body of a frame that carries `request`. */
export function encodeRequest(request: DaemonRequest): Bytes {
  return encodeCbor(requestBody(request));
}

/**
 * Reads the body of a client's frame. Null if it holds no known request; if it holds several, the
 * first in the order of the request table is taken.
 * @throws ProtocolError when it is not CBOR, not a map, or a field has the wrong type.
 */
export function decodeRequest(body: Uint8Array): DaemonRequest | null {
  const value = decodeCbor(body);
  if (value === null || value === undefined) return null;
  if (!(value instanceof Map)) throw new ProtocolError("a request must be a CBOR map");
  const found = firstKnown(value, byWireName);
  if (!found) return null;
  const fields = found.entry.schema.decode(found.value, found.entry.wireName);
  return { kind: found.entry.kind, ...fields } as DaemonRequest;
}

/** The known, non-null member with the lowest rank in a message's top-level map. */
export function firstKnown<E extends { readonly rank: number }>(
  message: CborMap,
  known: ReadonlyMap<string, E>,
): { entry: E; value: NonNullable<ReturnType<CborMap["get"]>> } | null {
  let best: { entry: E; value: NonNullable<ReturnType<CborMap["get"]>> } | null = null;
  for (const [key, value] of message) {
    if (value === null || value === undefined || typeof key !== "string") continue;
    const entry = known.get(key);
    if (entry && (!best || entry.rank < best.entry.rank)) best = { entry, value };
  }
  return best;
}
