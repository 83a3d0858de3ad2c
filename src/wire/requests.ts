/** Every request a client can send. Protocol page, section 4. */
import type { SurbId } from "../bytes/opaque.js";
import { ProtocolError } from "../errors/errors.js";
import { type CborMap, type Encodable, decodeCbor, encodeCbor } from "../cbor/cbor.js";
import * as s from "./schema.js";

// A request's byte strings may have any length here: the daemon answers a wrong one with its code.
const bytes = s.nullable(s.bytes);
const queryId = ["query_id", bytes] as const;

const destination = s.record({
  payload: ["payload", bytes],
  writeCap: ["write_cap", bytes],
  startIndex: ["start_index", bytes],
});

/**
 * Wire name and fields of each request, in the daemon's order of precedence: control, the local
 * ones, the ones that send packets (section 4, "Dispatch classes").
 */
export const requestSchemas = {
  thinClose: ["thin_close", s.record({})],
  sessionToken: [
    "session_token",
    s.record({ clientInstanceToken: ["client_instance_token", bytes] }),
  ],
  newKeypair: ["new_keypair", s.record({ queryId, seed: ["seed", bytes] })],
  encryptRead: [
    "encrypt_read",
    s.record({
      queryId,
      readCap: ["read_cap", bytes],
      messageBoxIndex: ["message_box_index", bytes],
    }),
  ],
  encryptWrite: [
    "encrypt_write",
    s.record({
      queryId,
      plaintext: ["plaintext", bytes],
      writeCap: ["write_cap", bytes],
      messageBoxIndex: ["message_box_index", bytes],
    }),
  ],
  cancelResendingEncryptedMessage: [
    "cancel_resending_encrypted_message",
    s.record({ queryId, envelopeHash: ["envelope_hash", bytes] }),
  ],
  cancelResendingCopyCommand: [
    "cancel_resending_copy_command",
    s.record({ queryId, writeCapHash: ["write_cap_hash", bytes] }),
  ],
  nextMessageBoxIndex: [
    "next_message_box_index",
    s.record({ queryId, messageBoxIndex: ["message_box_index", bytes] }),
  ],
  getMessageBoxIndexCounter: [
    "get_message_box_index_counter",
    s.record({ queryId, messageBoxIndex: ["message_box_index", bytes] }),
  ],
  getPkiDocument: ["get_pki_document", s.record({ queryId, epoch: ["epoch", s.uint64] })],
  getDirectoryAuthorities: ["get_directory_authorities", s.record({ queryId })],
  createCourierEnvelopesFromPayload: [
    "create_courier_envelopes_from_payload",
    s.record({
      queryId,
      payload: ["payload", bytes],
      destWriteCap: ["dest_write_cap", bytes],
      destStartIndex: ["dest_start_index", bytes],
      isStart: ["is_start", s.bool],
      isLast: ["is_last", s.bool],
    }),
  ],
  createCourierEnvelopesFromMultiPayload: [
    "create_courier_envelopes_from_multi_payload",
    s.record({
      queryId,
      destinations: ["destinations", s.nullable(s.arrayOf(destination))],
      isStart: ["is_start", s.bool],
      isLast: ["is_last", s.bool],
      buffer: ["buffer", bytes],
    }),
  ],
  createCourierEnvelopesFromTombstoneRange: [
    "create_courier_envelopes_from_tombstone_range",
    s.record({
      queryId,
      destWriteCap: ["dest_write_cap", bytes],
      destStartIndex: ["dest_start_index", bytes],
      maxCount: ["max_count", s.uint(0xffff_ffff)],
      isStart: ["is_start", s.bool],
      isLast: ["is_last", s.bool],
      buffer: ["buffer", bytes],
    }),
  ],
  voucherMint: [
    "voucher_mint",
    s.record({
      queryId,
      messageWriteCap: ["message_write_cap", bytes],
      displayName: ["display_name", s.nullable(s.text)],
    }),
  ],
  voucherInduct: [
    "voucher_induct",
    s.record({
      queryId,
      voucher: ["voucher", bytes],
      voucherPayload: ["voucher_payload", bytes],
      whoReply: ["who_reply", bytes],
    }),
  ],
  voucherOpen: [
    "voucher_open",
    s.record({
      queryId,
      voucherSecretKey: ["voucher_secret_key", bytes],
      sealedReply: ["sealed_reply", bytes],
      messageWriteCap: ["message_write_cap", bytes],
    }),
  ],
  voucherDeriveStream: [
    "voucher_derive_stream",
    s.record({ queryId, voucher: ["voucher", bytes] }),
  ],
  sendMessage: [
    "send_message",
    s.record({
      id: ["id", bytes],
      withSurb: ["with_surb", s.bool],
      surbId: ["surbid", s.nullable(s.bytesAs<SurbId>())],
      destinationIdHash: ["destination_id_hash", bytes],
      recipientQueueId: ["recipient_queue_id", bytes],
      payload: ["payload", bytes],
    }),
  ],
  startResendingEncryptedMessage: [
    "start_resending_encrypted_message",
    s.record({
      queryId,
      readCap: ["read_cap", bytes],
      writeCap: ["write_cap", bytes],
      messageBoxIndex: ["message_box_index", bytes],
      replyIndex: ["reply_index", s.optional(s.uint(255))],
      envelopeDescriptor: ["envelope_descriptor", bytes],
      messageCiphertext: ["message_ciphertext", bytes],
      envelopeHash: ["envelope_hash", bytes],
      noRetryOnBoxIdNotFound: ["no_retry_on_box_id_not_found", s.omittedFlag],
      noIdempotentBoxAlreadyExists: ["no_idempotent_box_already_exists", s.omittedFlag],
    }),
  ],
  startResendingCopyCommand: [
    "start_resending_copy_command",
    s.record({
      queryId,
      writeCap: ["write_cap", bytes],
      courierIdentityHash: ["courier_identity_hash", s.optional(s.bytes)],
      courierQueueId: ["courier_queue_id", s.optional(s.bytes)],
    }),
  ],
} as const;

type Schemas = typeof requestSchemas;

/** Name of a request. */
export type RequestKind = keyof Schemas;

/** The fields of a request. */
export type RequestFields<K extends RequestKind> = s.TypeOf<Schemas[K][1]>;

/** A request of kind `K`; of any kind by default. */
export type DaemonRequest<K extends RequestKind = RequestKind> = {
  [N in K]: { readonly kind: N } & RequestFields<N>;
}[K];

const byWireName = new Map(
  Object.entries(requestSchemas).map(([kind, [wireName, schema]], rank) => [
    wireName as string,
    { kind: kind as RequestKind, wireName: wireName as string, schema, rank },
  ]),
);

/** The body of a frame that carries `request`. */
export function encodeRequest(request: DaemonRequest): Uint8Array<ArrayBuffer> {
  const [wireName, schema] = requestSchemas[request.kind];
  return encodeCbor({ [wireName]: (schema as s.Schema<unknown>).encode(request) as Encodable });
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
