/**
 * What every error code means and what to do about it, in one table. It is separate from the
 * classes, so a bundle that does not use it does not contain it.
 */
import type { ErrorCode } from "./errors.js";

/** A human-readable explanation of an error. */
export interface ErrorExplanation {
  /** What happened: one or two sentences. */
  readonly meaning: string;
  /** What to do about it: one or two sentences. */
  readonly action: string;
}

/** Codes that the protocol reserves and that current daemons do not send. */
const reserved = (meaning: string): ErrorExplanation => ({
  meaning: `${meaning} Reserved: current daemons do not send it.`,
  action: "Check which daemon answers and its version, then read its log.",
});

const explanations: Readonly<Record<ErrorCode, ErrorExplanation>> = {
  ERR_CONFIG: {
    meaning: "A configuration, an address, or a store on disk cannot be used.",
    action:
      "The message names the place and says what is wrong. A client's configuration has one " +
      "table, [Dial.Unix], [Dial.Tcp] or [Dial.Ws], with an Address.",
  },
  ERR_CONNECT: {
    meaning: "The client could not connect to the daemon.",
    action:
      "Check that kpclientd runs and listens at that address (or start `katz daemon`). A client " +
      "that was connected before dials again automatically.",
  },
  ERR_UNSUPPORTED_TRANSPORT: {
    meaning:
      "This platform cannot dial that kind of address: browsers do not have TCP or Unix sockets.",
    action: "In a browser use a WebSocket address, [Dial.Ws]; the daemon must listen on one.",
  },
  THIN_CLIENT_ERROR_CONNECTION_LOST: {
    meaning: "The connection to the daemon was lost while a call was waiting.",
    action:
      "Call again: the client is already reconnecting, and the call waits for the new connection.",
  },
  ERR_CLOSED: {
    meaning: "The client was stopped or disconnected, or lost its daemon with `reconnect: false`.",
    action: "Create a new client. Pass the old client's `sessionToken` to resume its session.",
  },
  ERR_INVALID_STATE: {
    meaning: "A client, channel, group or daemon is in a state that does not allow this call.",
    action:
      "The message names the state. Await a client's `start()` before its first call, and call " +
      "it only once.",
  },
  ERR_PROTOCOL: {
    meaning: "The peer sent something that the protocol does not allow.",
    action:
      "Check that a daemon listens at the address and that this library supports its version. " +
      "`katz conform` finds errors of a daemon.",
  },
  ERR_OFFLINE: {
    meaning: "The daemon answers but is not connected to the mixnet.",
    action: "Await `waitUntilOnline()` and call again.",
  },
  ERR_TIMEOUT: {
    meaning: "The call's deadline passed before an answer arrived.",
    action:
      "The message says what the call waited for, if the client knows it. Call again, with a " +
      "longer `timeoutMs` if the network is slow. The request may still have taken effect.",
  },
  ERR_NO_PKI_DOCUMENT: {
    meaning: "The PKI document is not available, for the requested epoch or at all.",
    action:
      "Await `waitUntilOnline()`. Daemons keep only the documents of the previous, the current " +
      "and the next epoch.",
  },
  ERR_PKI_VERIFICATION: {
    meaning: "The authorities did not sign this PKI document, or it is not usable.",
    action: "Do not use it. `reasons` lists every problem; compare the authorities' keys first.",
  },
  ERR_SERVICE_NOT_FOUND: {
    meaning: "The network does not offer a service with that name.",
    action: "Print `prettyPrintPkiDoc(client.pkiDocument())` to see which services exist.",
  },
  ERR_NOT_ENOUGH_COURIERS: {
    meaning: "The network has fewer couriers than requested.",
    action: "Ask for fewer, or wait for the next PKI document.",
  },
  ERR_SLOW_CONSUMER: {
    meaning: "An event reader fell behind and its queue is full; later events are missing.",
    action:
      "Do less work in the loop, select fewer `types`, or raise `maxQueue` or `maxQueueBytes`.",
  },
  ERR_SEND_FAILED: {
    meaning: "The daemon could not send the message; `cause` has the daemon's text.",
    action:
      "Read the cause. If the connection to the gateway failed, wait until online and call again.",
  },
  ERR_TOMBSTONE_RANGE: {
    meaning: "Creating tombstones failed after some were created.",
    action: "Send those in `partial.envelopes`, then continue from `partial.next`.",
  },
  ERR_COPY_FAILED: {
    meaning:
      "A copy failed. Copies are not atomic: the boxes that `boxesCopied` counts stay " +
      "written.",
    action:
      "Check `cause`, then copy the rest of each destination, from its first box that was not " +
      "copied.",
  },
  ERR_CHANNEL_FORKED: {
    meaning: "Another writer wrote a box of the channel, so the channel stopped sending.",
    action:
      "Check whether a backup was restored or a second copy of the store is in use. Create a new " +
      "channel and hand out its invitation.",
  },
  ERR_CHANNEL_STORE: {
    meaning: "The store of channels cannot be opened, read or written.",
    action: "The message says why: it is in use, damaged, full, or encrypted with another key.",
  },
  ERR_CHANNEL_NOT_FOUND: {
    meaning: "The store does not contain a channel of that name and kind.",
    action: "`channels.list()` lists the existing channels.",
  },
  ERR_CHANNEL_EXISTS: {
    meaning: "The store already contains a channel of that name.",
    action: "Open it with `writer()` or `reader()`, or choose another name.",
  },
  REPLICA_ERROR_BOX_ID_NOT_FOUND: {
    meaning: "The box is empty, or still empty. An expected outcome.",
    action:
      "Read again later, or let `read` wait for it (the default; `wait: false` turns it off).",
  },
  REPLICA_ERROR_INVALID_BOX_ID: {
    meaning: "The replica does not accept that box ID.",
    action: "The capability is damaged: request it again from its source.",
  },
  REPLICA_ERROR_INVALID_SIGNATURE: {
    meaning: "The signature of the box does not verify.",
    action: "The write capability is damaged, or its two halves do not belong together.",
  },
  REPLICA_ERROR_DATABASE_FAILURE: {
    meaning: "The replica's storage failed.",
    action: "Call again later: another replica may answer.",
  },
  REPLICA_ERROR_INVALID_PAYLOAD: {
    meaning: "The box's ciphertext does not have the length that the network's geometry asks for.",
    action: "Daemon and network use different geometries: compare their configurations.",
  },
  REPLICA_ERROR_STORAGE_FULL: {
    meaning: "The replica's storage is full.",
    action:
      "Call again later: boxes expire after one to two weeks. The replica still accepts " +
      "tombstones.",
  },
  REPLICA_ERROR_INTERNAL_ERROR: {
    meaning: "Something went wrong inside the replica.",
    action: "Call again later.",
  },
  REPLICA_ERROR_INVALID_EPOCH: {
    meaning: "The envelope was made for an epoch whose key the replica does not have.",
    action: "Encrypt again and send the new envelope; `read` and `write` do so automatically.",
  },
  REPLICA_ERROR_REPLICATION_FAILED: {
    meaning: "The replica could not reach the replicas that are responsible for the box.",
    action: "Call again later.",
  },
  REPLICA_ERROR_BOX_ALREADY_EXISTS: {
    meaning: "The box already holds a different message. An expected outcome.",
    action:
      "A box can be written only once: continue at the next index, or find out who else writes " +
      "the stream.",
  },
  REPLICA_ERROR_TOMBSTONE: {
    meaning: "The box's writer deleted it. An expected outcome.",
    action: "Continue at the next index.",
  },
  THIN_CLIENT_ERROR_TIMEOUT: reserved("The daemon gave up waiting."),
  THIN_CLIENT_ERROR_INVALID_REQUEST: {
    meaning: "The daemon refused the request: a field is missing, or has a wrong length or value.",
    action:
      "This library checks requests before it sends them, so check capabilities and indices from " +
      "other sources, and payloads longer than the geometry allows.",
  },
  THIN_CLIENT_ERROR_INTERNAL_ERROR: {
    meaning:
      "The daemon could not process the request. Usual causes: it does not have a PKI document, " +
      "it does not know a courier, the capability is not a valid key, or the envelope was sealed " +
      "on another network.",
    action:
      "Await `waitUntilOnline()` and call again; seal envelopes on the network on which you send " +
      "them. If the error persists, read the daemon's log.",
  },
  THIN_CLIENT_ERROR_MAX_RETRIES: reserved("The daemon reached its retry limit."),
  THIN_CLIENT_ERROR_INVALID_CHANNEL: reserved("The daemon does not accept that channel."),
  THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND: reserved("The daemon does not know that channel."),
  THIN_CLIENT_ERROR_PERMISSION_DENIED: reserved("The daemon does not allow it."),
  THIN_CLIENT_ERROR_INVALID_PAYLOAD: reserved("The daemon does not accept that payload."),
  THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE: {
    meaning: "The daemon does not have the requested data: the document or the authorities.",
    action: "Ask for the current epoch (0), or wait until the daemon has a document.",
  },
  THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY: reserved("The capability is already in use."),
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION: {
    meaning: "The courier's cache entry for the envelope is damaged.",
    action: "Call again: another courier or a new envelope may succeed.",
  },
  THIN_CLIENT_PROPAGATION_ERROR: {
    meaning: "The courier could not forward the envelope to the replicas.",
    action: "Call again later: the courier may be unable to reach its replicas at the moment.",
  },
  THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY: reserved("The write capability is invalid."),
  THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY: reserved("The read capability is invalid."),
  THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST: reserved(
    "The request to resume a write channel is invalid.",
  ),
  THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST: reserved(
    "The request to resume a read channel is invalid.",
  ),
  THIN_CLIENT_IMPOSSIBLE_HASH_ERROR: reserved("The daemon's hash function failed."),
  THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR: reserved("The daemon could not create a capability."),
  THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR: reserved(
    "The daemon could not create a writer.",
  ),
  THIN_CLIENT_CAPABILITY_ALREADY_IN_USE: reserved("Another channel uses the capability."),
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED: {
    meaning: "The daemon could not decrypt the reply with the envelope's keys.",
    action:
      "The envelope descriptor does not belong to the envelope that was sent: pass the result of " +
      "an encrypt call on unchanged.",
  },
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED: {
    meaning: "The daemon could not decrypt the box with the given capability and index.",
    action:
      "Capability and index belong to different streams, or the index is not the one that " +
      "was encrypted.",
  },
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED: {
    meaning: "Another call or another application cancelled the operation.",
    action: "If that was not intended, start it again.",
  },
  THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG: {
    meaning:
      "A replica says that the box was deleted, but the signature that proves it is invalid.",
    action: "Read again, and do not treat the box as deleted: the replica may be lying.",
  },
  THIN_CLIENT_ERROR_COPY_COMMAND_FAILED: {
    meaning: "A copy command failed partway; envelopes before the failing one stay written.",
    action:
      "`replicaErrorCode` and `failedEnvelopeIndex` say why and where; code 10 means that a " +
      "destination box is taken. Copy the rest with a new temporary stream.",
  },
  THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE: {
    meaning: "The daemon refused the payload because it is too large.",
    action: "Split it: `geometry` and `pigeonholeGeometry` give the sizes.",
  },
  THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH: {
    meaning: "The voucher's payload does not hash to the voucher.",
    action:
      "Read box 0 of the voucher's stream again; if the error persists, the voucher was mistyped " +
      "or forged.",
  },
  THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID: {
    meaning: "The request in the voucher is not signed by the key it names.",
    action: "Do not admit the newcomer: ask for a new voucher.",
  },
  THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED: {
    meaning: "The sealed reply to the voucher could not be decrypted.",
    action:
      "Use the secret key that belongs to this voucher; otherwise ask the member to answer again.",
  },
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE: {
    meaning: "The courier could not read the envelope.",
    action:
      "Pass the results of encrypt calls on unchanged; if the error persists, daemon and network " +
      "differ in geometry.",
  },
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH: {
    meaning: "The envelope was made for a replica epoch that the courier no longer accepts.",
    action: "Encrypt again and send the new envelope; `read` and `write` do so automatically.",
  },
  THIN_CLIENT_ERROR_UNKNOWN: {
    meaning: "The daemon answered with a code that this library does not know.",
    action:
      "The daemon may be newer: look up `errorCode` in its documentation, and update this library.",
  },
};

/**
 * Explains a `code`: what it means and what to do about it, for a terminal, a log or a dialog.
 * @throws RangeError when there is no such code.
 */
export function explainError(code: ErrorCode): ErrorExplanation {
  if (Object.hasOwn(explanations, code)) return explanations[code];
  throw new RangeError(`\`code\` must be a code of this library, got ${JSON.stringify(code)}`);
}

/** Every code, in the order of the table. */
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(explanations) as ErrorCode[];
