/**
 * What every error code means and what to do about it, in one table. Kept apart from the classes,
 * so that a bundle which never explains anything does not carry it.
 */
import type { ErrorCode } from "./errors.js";

/** Words about an error, for people. */
export interface ErrorExplanation {
  /** What happened: one sentence. */
  readonly meaning: string;
  /** What to do about it: one or two sentences. */
  readonly action: string;
}

/** Codes that the protocol reserves and that daemons of today do not send. */
const reserved = (meaning: string): ErrorExplanation => ({
  meaning: `${meaning} Reserved: daemons of today do not send it.`,
  action: "Look which daemon answers, and which version of it; then at its log.",
});

const explanations: Readonly<Record<ErrorCode, ErrorExplanation>> = {
  ERR_CONFIG: {
    meaning: "The configuration cannot be used: missing, unreadable, or wrong.",
    action:
      "The message names file, table and key. A configuration has one table, [Dial.Unix], " +
      "[Dial.Tcp] or [Dial.Ws], with an Address.",
  },
  ERR_CONNECT: {
    meaning: "No connection to the daemon could be made.",
    action:
      "See that kpclientd runs and listens at that address (or start `katz daemon`). A client that " +
      "was connected once dials again by itself.",
  },
  ERR_UNSUPPORTED_TRANSPORT: {
    meaning:
      "This platform cannot dial that kind of address: browsers have no TCP and no Unix sockets.",
    action: "In a browser use a WebSocket address, [Dial.Ws]; the daemon must listen on one.",
  },
  THIN_CLIENT_ERROR_CONNECTION_LOST: {
    meaning: "The connection to the daemon went away while a call was waiting.",
    action:
      "Call again: the client is dialling already, and the call waits for the new connection.",
  },
  ERR_CLOSED: {
    meaning: "The client was stopped or disconnected, or lost its daemon with `reconnect: false`.",
    action: "Make a new client. With the old one's `sessionToken` it takes the session up again.",
  },
  ERR_INVALID_STATE: {
    meaning: "The call does not fit the state the client is in.",
    action: "Await `start()` before the first call, and call it once only.",
  },
  ERR_PROTOCOL: {
    meaning: "The peer sent something that the protocol does not allow.",
    action:
      "See that the address is a daemon's and its version is one that this library knows. " +
      "`katz conform` tells what is wrong with a daemon.",
  },
  ERR_OFFLINE: {
    meaning: "The daemon is there but has no connection to the mixnet.",
    action: "Await `waitUntilOnline()` and call again.",
  },
  ERR_TIMEOUT: {
    meaning: "The call was not answered within its deadline.",
    action:
      "Call again, with a longer `timeoutMs` if the network is slow. What was sent may have arrived " +
      "all the same.",
  },
  ERR_NO_PKI_DOCUMENT: {
    meaning: "No PKI document is there, for the epoch asked or at all.",
    action:
      "Await `waitUntilOnline()`. Daemons keep the documents of the previous, the current and the " +
      "next epoch only.",
  },
  ERR_PKI_VERIFICATION: {
    meaning: "A PKI document is not what its authorities signed, or not one that can be used.",
    action:
      "Do not use it. `reasons` lists all that is wrong; compare the authorities' keys first.",
  },
  ERR_SERVICE_NOT_FOUND: {
    meaning: "The network offers no service of that name.",
    action: "Print `prettyPrintPkiDoc(client.pkiDocument())` and look which services there are.",
  },
  ERR_NOT_ENOUGH_COURIERS: {
    meaning: "Fewer couriers are there than were asked for.",
    action: "Ask for fewer, or wait for the next PKI document.",
  },
  ERR_SLOW_CONSUMER: {
    meaning: "An event reader fell behind by more than its queue holds; later events are missing.",
    action: "Do less work within the loop, ask for fewer `types`, or raise `maxQueue`.",
  },
  ERR_SEND_FAILED: {
    meaning: "The daemon could not send the message; its own words are the `cause`.",
    action:
      "Read the cause. If it is the connection to the gateway, wait until online and call again.",
  },
  ERR_TOMBSTONE_RANGE: {
    meaning: "Making tombstones failed after some of them were made.",
    action: "Send those in `partial.envelopes`, then go on from `partial.next`.",
  },
  ERR_COPY_FAILED: {
    meaning: "A copy failed; copies are not atomic, so what `boxesCopied` counts stays written.",
    action:
      "Look at `cause`, then copy the rest of each destination, from its first box not copied.",
  },
  ERR_CHANNEL_FORKED: {
    meaning: "Somebody else wrote a box of the channel; it sends nothing more.",
    action:
      "Look whether a backup was restored, or a second copy of the store is in use. Create a new " +
      "channel and hand out its invitation.",
  },
  ERR_CHANNEL_STORE: {
    meaning: "The store of channels cannot be opened, read or written.",
    action: "The message says why: it is in use, damaged, full, or encrypted with another key.",
  },
  ERR_CHANNEL_NOT_FOUND: {
    meaning: "No channel of that name and kind is in the store.",
    action: "`channels.list()` names those that are.",
  },
  ERR_CHANNEL_EXISTS: {
    meaning: "A channel of that name is in the store already.",
    action: "Open it with `writer()` or `reader()`, or choose another name.",
  },
  REPLICA_ERROR_BOX_ID_NOT_FOUND: {
    meaning: "The box holds nothing, or nothing yet. An outcome to expect.",
    action: "Ask again later, or let `read` wait for it (it does unless told `wait: false`).",
  },
  REPLICA_ERROR_INVALID_BOX_ID: {
    meaning: "The replica does not take that box ID.",
    action: "The capability is damaged: get it anew from whoever gave it.",
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
    meaning: "The replica has no room.",
    action:
      "Call again later: boxes expire after one to two weeks. Tombstones are taken all the same.",
  },
  REPLICA_ERROR_INTERNAL_ERROR: {
    meaning: "Something went wrong inside the replica.",
    action: "Call again later.",
  },
  REPLICA_ERROR_INVALID_EPOCH: {
    meaning: "The envelope was made for an epoch whose key the replica does not have.",
    action: "Encrypt again and send the new envelope; `read` and `write` do so by themselves.",
  },
  REPLICA_ERROR_REPLICATION_FAILED: {
    meaning: "The replica could not reach the ones that are responsible for the box.",
    action: "Call again later.",
  },
  REPLICA_ERROR_BOX_ALREADY_EXISTS: {
    meaning: "The box holds something else already. An outcome to expect.",
    action:
      "Boxes are written once: go on to the next index, or find out who else writes the stream.",
  },
  REPLICA_ERROR_TOMBSTONE: {
    meaning: "The box was deleted by its writer. An outcome to expect.",
    action: "Go on to the next index.",
  },
  THIN_CLIENT_ERROR_TIMEOUT: reserved("The daemon gave up waiting."),
  THIN_CLIENT_ERROR_INVALID_REQUEST: {
    meaning: "The daemon refuses the request: a field is missing, or has a wrong length or value.",
    action:
      "This library checks before it sends, so look at capabilities and indices that came from " +
      "elsewhere, and at payloads longer than the geometry allows.",
  },
  THIN_CLIENT_ERROR_INTERNAL_ERROR: {
    meaning:
      "The daemon could not do it: mostly it has no PKI document or knows no courier, the " +
      "capability is no valid key, or the envelope was sealed on another network.",
    action:
      "Await `waitUntilOnline()` and call again; seal envelopes on the network that they are sent " +
      "on. If it stays, read the daemon's log.",
  },
  THIN_CLIENT_ERROR_MAX_RETRIES: reserved("The daemon tried as often as it may."),
  THIN_CLIENT_ERROR_INVALID_CHANNEL: reserved("The daemon does not take that channel."),
  THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND: reserved("The daemon does not know that channel."),
  THIN_CLIENT_ERROR_PERMISSION_DENIED: reserved("The daemon does not allow it."),
  THIN_CLIENT_ERROR_INVALID_PAYLOAD: reserved("The daemon does not take that payload."),
  THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE: {
    meaning: "The daemon does not have what was asked for: no such document, no authorities.",
    action: "Ask for the current epoch (0), or wait until the daemon has a document.",
  },
  THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY: reserved("The capability is in use already."),
  THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION: {
    meaning: "The courier's cache entry for the envelope is damaged.",
    action: "Call again: another courier, or a fresh envelope, may do.",
  },
  THIN_CLIENT_PROPAGATION_ERROR: {
    meaning: "The courier could not pass the envelope on to the replicas.",
    action: "Call again later: the courier may not reach its replicas just now.",
  },
  THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY: reserved("The write capability is not one."),
  THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY: reserved("The read capability is not one."),
  THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST: reserved(
    "The request to take a write channel up again is wrong.",
  ),
  THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST: reserved(
    "The request to take a read channel up again is wrong.",
  ),
  THIN_CLIENT_IMPOSSIBLE_HASH_ERROR: reserved("The daemon's hash function failed."),
  THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR: reserved("The daemon could not make a capability."),
  THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR: reserved("The daemon could not make a writer."),
  THIN_CLIENT_CAPABILITY_ALREADY_IN_USE: reserved("The capability is used by another channel."),
  THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED: {
    meaning: "The reply could not be opened with the envelope's keys.",
    action:
      "The envelope descriptor does not belong to the envelope that was sent: pass an encrypt " +
      "result on as it is.",
  },
  THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED: {
    meaning: "The box could not be opened with the capability and index given.",
    action: "Capability and index are of different streams, or the index is not the one encrypted.",
  },
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED: {
    meaning: "The operation was cancelled from elsewhere.",
    action: "Nothing, if that was meant; else start it again.",
  },
  THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG: {
    meaning: "A replica says that the box was deleted, but cannot prove it.",
    action: "Read again, and do not take the box as deleted: a replica may be lying.",
  },
  THIN_CLIENT_ERROR_COPY_COMMAND_FAILED: {
    meaning: "A copy command stopped; envelopes before the failing one stay written.",
    action:
      "`replicaErrorCode` and `failedEnvelopeIndex` say why and where; with 10 a destination box is " +
      "taken. Copy the rest with a new temporary stream.",
  },
  THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE: {
    meaning: "The daemon finds the payload too large.",
    action: "Cut it up: `geometry` and `pigeonholeGeometry` name the sizes.",
  },
  THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH: {
    meaning: "The voucher's payload does not hash to the voucher.",
    action:
      "Read box 0 of the voucher's stream again; if it stays, the voucher was mistyped or forged.",
  },
  THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID: {
    meaning: "The request inside the voucher is not signed by the key it names.",
    action: "Do not take the newcomer in: ask for a new voucher.",
  },
  THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED: {
    meaning: "The sealed reply to the voucher could not be opened.",
    action:
      "Use the secret key that came with this very voucher; else ask the member to answer again.",
  },
  THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE: {
    meaning: "The courier could not read the envelope.",
    action:
      "Pass encrypt results on unchanged; if it stays, daemon and network differ in geometry.",
  },
  THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH: {
    meaning: "The envelope was made for a replica epoch that the courier no longer takes.",
    action: "Encrypt again and send the new envelope; `read` and `write` do so by themselves.",
  },
  THIN_CLIENT_ERROR_UNKNOWN: {
    meaning: "The daemon answered with a number that this library does not know.",
    action:
      "The daemon is newer: look `errorCode` up in its documentation, and update this library.",
  },
};

/**
 * What a `code` means and what to do about it, for people: in a terminal, a log, a dialog.
 * @throws RangeError when there is no such code.
 */
export function explainError(code: ErrorCode): ErrorExplanation {
  if (Object.hasOwn(explanations, code)) return explanations[code];
  throw new RangeError(`\`code\` must be a code of this library, got ${JSON.stringify(code)}`);
}

/** Every code, in the order of the table. */
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(explanations) as ErrorCode[];
