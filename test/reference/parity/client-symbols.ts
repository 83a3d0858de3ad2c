/** The reference's symbols of `ThinClient`. */
import { type SymbolGroup, boxes, client, none, one, renamed, ruled } from "./symbol.js";

const life = client(
  "a client is created from a Config, started once, stopped, and reports its state",
);
const session = client("disconnect keeps the session, and its token resumes it");
const messages = client("messages are sent with and without a reply, and awaited");
const random = client("a client draws random IDs for messages, reply blocks and requests");
const documents = client("PKI documents can be fetched parsed, by epoch and raw, and printed");
const services = client("services and couriers are found in the document");
const steps = boxes("a box is written and read in the steps of the binding");
const variants = boxes("the two variants report a taken and an empty box");
const cancels = boxes("a waiting read and a waiting copy command are cancelled");
const copied = boxes("a payload is copied through a temporary stream, with a chosen courier");
const builders = boxes("builders carry their buffer over calls, for payloads and for tombstones");
const range = boxes("a range of tombstones is created, sent, and read as deleted");
const vouchers = boxes("a voucher is minted, its holder admitted, and the answer opened");
const NEWER = "new in 0.0.18";

/** What `ThinClient` does in the reference. */
export const CLIENT_SYMBOLS: readonly SymbolGroup[] = [
  {
    title: "The client",
    symbols: [
      one("class", "ThinClient", "ThinClient", life, {
        difference:
          "`ThinClient.connect(config)` creates and starts a client; `await using` stops it",
      }),
      renamed(
        "method",
        "ThinClient.__init__",
        "ThinClient.prototype",
        life,
        "`new ThinClient(config, options?)`; no I/O, no socket",
      ),
      one("method", "ThinClient.start", "ThinClient.start", life, {
        difference:
          "no loop argument; resolves after the whole handshake; a second start is `InvalidStateError`",
      }),
      one("method", "ThinClient.stop", "ThinClient.stop", life, {
        difference:
          "returns a promise, to be awaited; idempotent; waits up to 5 s for messages to leave " +
          "(`{ drain }`); calls that wait reject with `ClientClosedError`",
      }),
      one("method", "ThinClient.disconnect", "ThinClient.disconnect", session, {
        difference: "as `stop`; also ends waiting reads at the daemon",
      }),
      one("method", "ThinClient.get_config", "ThinClient.getConfig", life, {
        version: "gone in 0.0.19",
      }),
      one("method", "ThinClient.is_connected", "ThinClient.isConnected", life),
      ...ruled("attribute", "ThinClient", ["geometry", "pigeonhole_geometry"], life, {
        difference: "throws `InvalidStateError` before the first handshake instead of being None",
      }),
      renamed(
        "attribute",
        "ThinClient.config",
        "ThinClient.getConfig",
        life,
        "the method of the same meaning",
      ),
      renamed(
        "attribute",
        "ThinClient.pki_doc",
        "ThinClient.pkiDocument",
        documents,
        "the method of the same meaning",
      ),
      renamed(
        "attribute",
        "ThinClient.instance_token",
        "ThinClient.sessionToken",
        session,
        "it names the client's session; `instanceToken` of an event names the daemon's process",
      ),
      none(
        "attribute",
        "ThinClient.logger",
        "a logger is an option, `{ logger }`, silent by default",
      ),
      none("attribute", "ThinClient.task", "use `client.closed`"),
      none("attribute", "ThinClient.socket", "the connection is internal to the client"),
      none("attribute", "ThinClient.server_addr", "use `config.address`"),
      none(
        "attribute",
        "ThinClient.reply_received_event",
        "it is never reset there, so it only shows that one reply arrived; use `messageReply` events",
      ),
      none(
        "attribute",
        "ThinClient.ack_queues",
        "internal to the binding; calls return their replies",
      ),
      none(
        "attribute",
        "ThinClient.response_queues",
        "internal to the binding; calls return their replies",
      ),
    ],
  },
  {
    title: "Messages",
    symbols: [
      one("method", "ThinClient.send_message", "ThinClient.sendMessage", messages, {
        difference:
          "rejects if the message cannot be written, instead of logging it; waits while the daemon " +
          "is being reconnected, where the binding raises `ThinClientOfflineError`",
      }),
      one(
        "method",
        "ThinClient.send_message_without_reply",
        "ThinClient.sendMessageWithoutReply",
        messages,
        { difference: "as `sendMessage`" },
      ),
      one(
        "method",
        "ThinClient.blocking_send_message",
        "ThinClient.blockingSendMessage",
        messages,
        {
          difference:
            "`timeout_seconds=30` is `{ timeoutMs: 30_000 }`, `None` is `Infinity`; any number may " +
            "run at once; fails at once if the daemon could not send; otherwise as `sendMessage`",
        },
      ),
      one("method", "ThinClient.new_message_id", "ThinClient.newMessageId", random, {
        difference: "static, as there",
      }),
      ...ruled("method", "ThinClient", ["new_surb_id", "new_query_id"], random),
    ],
  },
  {
    title: "PKI documents and services",
    symbols: [
      ...ruled("method", "ThinClient", ["pki_document"], documents, {
        difference: "a `PkiDocument` with typed fields; `fields` has every key as received",
      }),
      ...ruled("method", "ThinClient", ["pki_document_for_epoch"], documents, {
        difference: "`PkiDocumentUnavailableError` if there is no document at all",
      }),
      ...ruled("method", "ThinClient", ["get_pki_document_raw"], documents, {
        difference:
          "returns `{ payload, epoch }` instead of a pair; `PkiDocumentUnavailableError` if the " +
          "daemon has no such document",
      }),
      ...ruled("method", "ThinClient", ["get_directory_authorities"], documents, {
        version: NEWER,
      }),
      ...ruled("method", "ThinClient", ["pretty_print_pki_doc"], documents, {
        difference: "returns the text, prints nothing, and does not change its argument",
      }),
      ...ruled("method", "ThinClient", ["get_services", "get_service"], services, {
        difference: "`ServiceNotFoundError`, `PkiDocumentUnavailableError`",
      }),
      ...ruled("method", "ThinClient", ["get_all_couriers", "get_distinct_couriers"], services, {
        version: "gone in 0.0.22",
        difference: "`ServiceNotFoundError`, `NotEnoughCouriersError`",
      }),
      ...ruled("function", "", ["find_services"], services, {
        difference: "`ProtocolError` instead of KeyError for a document without ServiceNodes",
      }),
      one("class", "ServiceDescriptor", "ServiceDescriptor", services),
      ...ruled("attribute", "ServiceDescriptor", ["recipient_queue_id"], services),
      ...ruled("attribute", "ServiceDescriptor", ["mix_descriptor"], services, {
        difference: "a `MixDescriptor` with typed fields; `fields` has every key as received",
      }),
      ...ruled("method", "ServiceDescriptor", ["to_destination"], services, {
        difference: "spread it: `client.sendMessage(surbId, payload, ...echo.toDestination())`",
      }),
    ],
  },
  {
    title: "Boxes",
    symbols: [
      ...ruled("method", "ThinClient", ["new_keypair"], steps),
      ...ruled("method", "ThinClient", ["encrypt_read", "encrypt_write"], steps, {
        difference: "the result goes to `startResendingEncryptedMessage` as it is",
      }),
      ...ruled("method", "ThinClient", ["start_resending_encrypted_message"], steps, {
        difference:
          "one request object instead of seven arguments and two flags; `None` is `null`, or is " +
          "left out; a flag or capability that does not fit is a `TypeError`",
      }),
      ...ruled(
        "method",
        "ThinClient",
        ["start_resending_encrypted_message_return_box_exists"],
        variants,
        { version: "gone in 0.0.23", difference: "only for writes" },
      ),
      ...ruled("method", "ThinClient", ["start_resending_encrypted_message_no_retry"], variants, {
        version: "gone in 0.0.23",
        difference: "only for reads",
      }),
      ...ruled("method", "ThinClient", ["cancel_resending_encrypted_message"], cancels, {
        difference:
          "also works while the mixnet or the daemon is unreachable; repeated until the daemon has " +
          "answered the start",
      }),
      ...ruled("method", "ThinClient", ["next_message_box_index"], steps),
      ...ruled("method", "ThinClient", ["get_message_box_index_counter"], steps, {
        difference: "a `bigint`",
      }),
      ...ruled("method", "ThinClient", ["tombstone_range"], range, {
        difference:
          "after a failure, `TombstoneRangeError.partial` has the envelopes made before it; a " +
          "negative count is a `RangeError`",
      }),
      one("record", "KeypairResult", "KeypairResult", steps),
      ...ruled("field", "KeypairResult", ["write_cap", "read_cap", "first_message_index"], steps),
      ...["EncryptReadResult", "EncryptWriteResult"].flatMap((record) => [
        one("record", record, record, steps, {
          difference: "carries `kind`, its cap and its index",
        }),
        ...ruled(
          "field",
          record,
          ["message_ciphertext", "envelope_descriptor", "envelope_hash", "next_message_box_index"],
          steps,
        ),
      ]),
      one("record", "StartResendingResult", "StartResendingResult", steps),
      ...ruled("field", "StartResendingResult", ["plaintext"], steps, {
        difference: "empty bytes instead of None for a write",
      }),
      ...ruled(
        "field",
        "StartResendingResult",
        ["courier_identity_hash", "courier_queue_id"],
        steps,
      ),
      one("record", "TombstoneEnvelope", "TombstoneEnvelope", range),
      ...ruled(
        "field",
        "TombstoneEnvelope",
        ["message_ciphertext", "envelope_descriptor", "envelope_hash", "box_index"],
        range,
      ),
      one("record", "TombstoneRangeResult", "TombstoneRangeResult", range),
      ...ruled("field", "TombstoneRangeResult", ["envelopes", "next"], range),
    ],
  },
  {
    title: "Copying",
    symbols: [
      ...ruled("method", "ThinClient", ["start_resending_copy_command"], copied, {
        difference:
          "the courier is one option, `{ courier }`, instead of two arguments that must be given " +
          "together; a stream found deleted after a lost connection counts as copied",
      }),
      ...ruled("method", "ThinClient", ["cancel_resending_copy_command"], cancels, {
        difference: "`writeCapHash(writeCap)` makes its argument",
      }),
      ...ruled("method", "ThinClient", ["create_courier_envelopes_from_payload"], copied, {
        difference: "one request object; more than 10 MiB is a `RangeError`",
      }),
      ...ruled("method", "ThinClient", ["create_courier_envelopes_from_multi_payload"], builders, {
        difference:
          "one request object; destinations are `{ payload, writeCap, startIndex }`, at least one",
      }),
      ...ruled(
        "method",
        "ThinClient",
        ["create_courier_envelopes_from_tombstone_range"],
        builders,
        {
          difference:
            "one request object; with `maxCount` 0 the `buffer` is returned, where the daemon drops it",
        },
      ),
      one("record", "CreateEnvelopesResult", "CreateEnvelopesResult", copied, {
        difference: "the union of `SingleDestEnvelopes` and `MultiDestEnvelopes`",
      }),
      ...ruled("field", "CreateEnvelopesResult", ["envelopes"], builders),
      ...ruled("field", "CreateEnvelopesResult", ["buffer"], builders, {
        difference: "empty bytes instead of None after the last call",
      }),
      ...ruled("field", "CreateEnvelopesResult", ["next_dest_index"], copied),
      ...ruled("field", "CreateEnvelopesResult", ["next_dest_indices"], builders),
    ],
  },
  {
    title: "Contact vouchers",
    symbols: [
      ...ruled(
        "method",
        "ThinClient",
        ["voucher_mint", "voucher_induct", "voucher_open", "voucher_derive_stream"],
        vouchers,
        { version: NEWER },
      ),
      one("record", "VoucherMintResult", "VoucherMintResult", vouchers, { version: NEWER }),
      ...ruled(
        "field",
        "VoucherMintResult",
        [
          "voucher",
          "voucher_payload",
          "voucher_write_cap",
          "voucher_read_cap",
          "voucher_secret_key",
          "voucher_public_key",
        ],
        vouchers,
        { version: NEWER },
      ),
      one("record", "VoucherInductResult", "VoucherInductResult", vouchers, { version: NEWER }),
      ...ruled(
        "field",
        "VoucherInductResult",
        [
          "display_name",
          "mutated_message_read_cap",
          "sealed_reply",
          "voucher_write_cap",
          "voucher_read_cap",
          "salt",
        ],
        vouchers,
        { version: NEWER },
      ),
      one("record", "VoucherOpenResult", "VoucherOpenResult", vouchers, { version: NEWER }),
      ...ruled(
        "field",
        "VoucherOpenResult",
        ["who_reply", "salt", "mutated_message_write_cap"],
        vouchers,
        { version: NEWER },
      ),
      one("record", "VoucherStreamResult", "VoucherStreamResult", vouchers, { version: NEWER }),
      ...ruled(
        "field",
        "VoucherStreamResult",
        ["voucher_write_cap", "voucher_read_cap"],
        vouchers,
        {
          version: NEWER,
        },
      ),
    ],
  },
];
