/** Every request a client can send. spec/thin-protocol §4. */
import type { Bytes } from "../bytes/bytes.js";
import type { SurbId } from "../bytes/opaque.js";
import { ProtocolError } from "../errors/errors.js";
import { type CborMap, type Encodable, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import * as s from "./schema.js";

// A request's byte strings may have any length here: the daemon answers a wrong one with its code,
// where upstream's disconnects capabilities and indices (spec/thin-protocol §10, defect 13).
const bytes = s.nullable(s.bytes);

/** What every request that has a reply of its own begins with. */
const query = {
  /**
   * 16 bytes that the reply has, too. Null: code 3 to starts and cancels; no other daemon looks.
   */
  queryId: ["query_id", bytes] as const,
};

/** What the streams of several boxes share. */
const ends = {
  /** Whether the first element is marked as the stream's start. */
  isStart: ["is_start", s.bool] as const,
  /** Whether the last element is marked as the stream's end, and nothing is held back. */
  isLast: ["is_last", s.bool] as const,
};

const destination = s.record({
  /** At most 10 MiB, else code 3. */
  payload: ["payload", bytes],
  /** 168 bytes. Null: code 3. */
  writeCap: ["write_cap", bytes],
  /** The first box to write: 104 bytes. Null: code 3. */
  startIndex: ["start_index", bytes],
});

/**
 * Wire name and fields of each request, in the daemon's order of precedence: control, the local
 * ones, the ones that send packets (spec/thin-protocol §4, "Dispatch classes").
 */
export const requestSchemas = {
  thinClose: ["thin_close", s.record({})],
  sessionToken: [
    "session_token",
    s.record({
      /** 16 random bytes, chosen once a client; one that is known takes its session up again. */
      clientInstanceToken: ["client_instance_token", bytes],
    }),
  ],
  newKeypair: [
    "new_keypair",
    s.record({
      ...query,
      /** 32 bytes, else code 3; the same seed gives the same stream. */
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
      /** Up to MaxPlaintextPayloadLength bytes; 0 are a tombstone. More, or null: code 3. */
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
      /** Which operation: 32 bytes. Null: code 3; one that is not known is success, too. */
      envelopeHash: ["envelope_hash", bytes],
    }),
  ],
  cancelResendingCopyCommand: [
    "cancel_resending_copy_command",
    s.record({
      ...query,
      /**
       * Which copy: BLAKE2b-256 of its write cap, 32 bytes. Null: code 3; an unknown one: success.
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
      /** The box whose number is asked: 104 bytes. Null: code 3. */
      messageBoxIndex: ["message_box_index", bytes],
    }),
  ],
  getPkiDocument: [
    "get_pki_document",
    s.record({
      ...query,
      /** 0: the current one, or that of the epoch before where it is missing. */
      epoch: ["epoch", s.uint64],
    }),
  ],
  getDirectoryAuthorities: ["get_directory_authorities", s.record({ ...query })],
  createCourierEnvelopesFromPayload: [
    "create_courier_envelopes_from_payload",
    s.record({
      ...query,
      /** At most 10 MiB, else code 3. No bytes make no element, so nothing can be the last. */
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
      /** At least one, else code 3. */
      destinations: ["destinations", s.nullable(s.arrayOf(destination))],
      ...ends,
      /** What the reply before held back; null where the stream starts. */
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
      /** How many boxes, one after the other. With 0 upstream's drops `buffer` (defect 20). */
      maxCount: ["max_count", s.uint(0xffff_ffff)],
      ...ends,
      /** What the reply before held back; null where the stream starts. */
      buffer: ["buffer", bytes],
    }),
  ],
  voucherMint: [
    "voucher_mint",
    s.record({
      ...query,
      /** Writes the newcomer's own messages: 168 bytes, else code 3. */
      messageWriteCap: ["message_write_cap", bytes],
      /** What the newcomer wants to be called; the payload has it in clear. */
      displayName: ["display_name", s.nullable(s.text)],
    }),
  ],
  voucherInduct: [
    "voucher_induct",
    s.record({
      ...query,
      /** 32 bytes, else code 3. */
      voucher: ["voucher", bytes],
      /** Box 0 of the voucher's stream. Another voucher's: code 28; badly signed: code 29. */
      voucherPayload: ["voucher_payload", bytes],
      /** What the newcomer is told; sealed, never looked at. */
      whoReply: ["who_reply", bytes],
    }),
  ],
  voucherOpen: [
    "voucher_open",
    s.record({
      ...query,
      /** 162 bytes of the mint reply, else code 3. */
      voucherSecretKey: ["voucher_secret_key", bytes],
      /** Box 1 of the voucher's stream; code 30 when the key does not open it. */
      sealedReply: ["sealed_reply", bytes],
      /** The one that the voucher was minted for: 168 bytes, else code 3. */
      messageWriteCap: ["message_write_cap", bytes],
    }),
  ],
  voucherDeriveStream: [
    "voucher_derive_stream",
    s.record({
      ...query,
      /** 32 bytes, else code 3. */
      voucher: ["voucher", bytes],
    }),
  ],
  sendMessage: [
    "send_message",
    s.record({
      /** 16 bytes that the events repeat as `messageId`; clients of today send null. */
      id: ["id", bytes],
      /** Whether a reply is wanted; without it nothing tells what became of the message. */
      withSurb: ["with_surb", s.bool],
      /** 16 bytes, new each time; null without `withSurb`, and only then. */
      surbId: ["surbid", s.nullable(s.bytesAs<SurbId>())],
      /** The service node: BLAKE2b-256 of its identity key, 32 bytes. */
      destinationIdHash: ["destination_id_hash", bytes],
      /** The endpoint on that node: 1 to 32 bytes, e.g. `+echo`. */
      recipientQueueId: ["recipient_queue_id", bytes],
      /** At most the Sphinx geometry's UserForwardPayloadLength. */
      payload: ["payload", bytes],
    }),
  ],
  startResendingEncryptedMessage: [
    "start_resending_encrypted_message",
    s.record({
      ...query,
      /** For a read: 136 bytes. Both capabilities, or none: code 3. */
      readCap: ["read_cap", bytes],
      /** For a write: 168 bytes. Says only that it is one, for the envelope is signed. */
      writeCap: ["write_cap", bytes],
      /** 104 bytes, for reads: null ends in code 4, another length in 23. Of no use in a write. */
      messageBoxIndex: ["message_box_index", bytes],
      /** Accepted and not looked at; null is left out. */
      replyIndex: ["reply_index", s.optional(s.uint(255))],
      /** As the encrypt reply had it; null or empty: code 3. */
      envelopeDescriptor: ["envelope_descriptor", bytes],
      /** As the encrypt reply had it, and sent so. Null or empty: code 3; more than a query: 4. */
      messageCiphertext: ["message_ciphertext", bytes],
      /** 32 bytes: names the operation for its cancel. Null: code 3. Not compared with anything. */
      envelopeHash: ["envelope_hash", bytes],
      /** Reads: code 1 for an empty box, instead of asking again. Left out when false. */
      noRetryOnBoxIdNotFound: ["no_retry_on_box_id_not_found", s.omittedFlag],
      /** Writes: the replicas' verdict, code 10 included, not a courier's. Left out when false. */
      noIdempotentBoxAlreadyExists: ["no_idempotent_box_already_exists", s.omittedFlag],
    }),
  ],
  startResendingCopyCommand: [
    "start_resending_copy_command",
    s.record({
      ...query,
      /**
       * Of the temporary stream, which is read from the cap's own index on: 168 bytes. Null: code
       * 3.
       */
      writeCap: ["write_cap", bytes],
      /**
       * The courier's node, 32 bytes; a courier at random unless both are there. Null is left out.
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

/** The fields of a request, spelt out so that editors show them and not how they are made. */
export type RequestFields<K extends RequestKind> = K extends RequestKind
  ? { readonly [N in keyof s.TypeOf<Schemas[K][1]>]: s.TypeOf<Schemas[K][1]>[N] }
  : never;

/** A request of kind `K`; of any kind by default. */
export type DaemonRequest<K extends RequestKind = RequestKind> = {
  [N in K]: {
    /** Which request: its name on the wire, in camelCase. */
    readonly kind: N;
  } & RequestFields<N>;
}[K];

const byWireName = new Map(
  Object.entries(requestSchemas).map(([kind, [wireName, schema]], rank) => [
    wireName as string,
    { kind: kind as RequestKind, wireName: wireName as string, schema, rank },
  ]),
);

/** The body of a client's frame, to be encoded as CBOR. */
export function requestBody(request: DaemonRequest): Encodable {
  const [wireName, schema] = requestSchemas[request.kind];
  return { [wireName]: (schema as s.Schema<unknown>).encode(request) as Encodable };
}

/** The body of a frame that carries `request`. */
export function encodeRequest(request: DaemonRequest): Bytes {
  return encodeCbor(requestBody(request));
}

/**
 * Reads the body of a client's frame. Null when it holds no request that is known; of several the
 * first in the order of the request table is taken.
 * @throws ProtocolError when it is not CBOR, no map, or a field has the wrong type.
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

/** The known, non-null member of lowest rank in a message's top-level map. */
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
