/** Configuration, events, geometries, functions, exceptions and constants of the reference. */
import {
  type SymbolGroup,
  client,
  mechanicalName,
  names,
  none,
  one,
  renamed,
  ruled,
} from "./symbol.js";

const constants = names("constants have the binding's names and numbers");
const codes = names("codes become the errors that the binding raises");
const dump = names("a dump and a hash are computed as in the binding");
const life = client(
  "a client is created from a Config, started once, stopped, and reports its state",
);
const handlers = client("the five handlers of the configuration receive every event");
const messages = client("messages are sent with and without a reply, and awaited");
const inside = client("the inner calls of the Python client are available too");
const sphinx = names("a Sphinx geometry has the binding's members");
const pigeonhole = names(
  "a Pigeonhole geometry has the binding's members, and can be validated and padded",
);
const file = names(
  "the configuration file has the binding's keys, and an invalid one gives a ConfigError",
);
const dialled = names("each kind of address can be dialled");
const copyReply = names("a copy reply becomes an error that says where it failed");
const expected = names("three outcomes are expected, and the rest are failures");

const NEWEST = "newer than 0.0.15";

/** Configuration, events, geometries, functions, exceptions and constants of the reference. */
export const OTHER_SYMBOLS: readonly SymbolGroup[] = [
  {
    title: "Configuration",
    symbols: [
      one("class", "Config", "Config", life),
      renamed(
        "method",
        "Config.__init__",
        "Config.load",
        file,
        "asynchronous, because it reads a file; handlers are one object; `new Config({ dial })` needs " +
          "no file",
      ),
      ...ruled("attribute", "Config", ["dial"], file),
      ...ruled("attribute", "Config", ["network", "address"], file, {
        difference: "documented there, but missing",
      }),
      ...ruled("attribute", "Config", ["geometry"], life, {
        difference: "documented there, but missing; null until the first handshake",
      }),
      ...ruled(
        "attribute",
        "Config",
        [
          "on_connection_status",
          "on_new_pki_document",
          "on_message_sent",
          "on_message_reply",
          "on_daemon_disconnected",
        ],
        handlers,
        {
          difference:
            "may be plain functions; get a typed record instead of a map; an exception becomes a " +
            "`handlerError` event",
        },
      ),
      ...[
        "handle_connection_status_event",
        "handle_new_pki_document_event",
        "handle_message_sent_event",
        "handle_message_reply_event",
        "handle_daemon_disconnected_event",
      ].map((name) =>
        none("method", `Config.${name}`, "the client's own call; use `client.handleResponse`"),
      ),
      one("class", "ConfigFile", "ConfigFile", file),
      ...ruled("attribute", "ConfigFile", ["dial"], file),
      ...ruled("method", "ConfigFile", ["load"], file, {
        difference: "asynchronous; `ConfigFile.parse(text)` reads no file",
      }),
      none("method", "ConfigFile.__str__", "use `String(file.dial)`"),
      one("class", "DialConfig", "DialConfig", file, {
        difference: "a plain `{ tcp: { address } }` is accepted in its place",
      }),
      ...ruled("attribute", "DialConfig", ["unix", "tcp"], file),
      ...ruled("method", "DialConfig", ["resolve"], file),
      ...ruled("method", "DialConfig", ["from_toml_dict"], file, {
        difference: "`ConfigError` instead of ValueError; also takes `Ws`",
      }),
      renamed(
        "method",
        "DialConfig.validate",
        "DialConfig.resolve",
        file,
        "checks that there is exactly one kind; `ConfigError` instead of ValueError",
      ),
      one("class", "TcpDialConfig", "TcpDialConfig", file, {
        difference: "takes the address, or `{ address, network }`; checks them at once",
      }),
      ...ruled("attribute", "TcpDialConfig", ["address"], file),
      ...ruled("attribute", "TcpDialConfig", ["network"], file, {
        difference: "`tcp` tries IPv4, then IPv6; there it is IPv4 only",
      }),
      one("class", "UnixDialConfig", "UnixDialConfig", file, {
        difference: "takes the address, or `{ address }`; checks it at once",
      }),
      ...ruled("attribute", "UnixDialConfig", ["address"], file),
      ...["TcpDialConfig", "UnixDialConfig"].map((owner) =>
        renamed(
          "method",
          `${owner}.setup_socket`,
          `${owner}.dial`,
          dialled,
          "returns a connected `Transport` instead of a socket to connect; does not bind a name of its own",
        ),
      ),
      one("config key", "Dial.Tcp.Address", "TcpDialConfig.address", file, { renamed: true }),
      one("config key", "Dial.Tcp.Network", "TcpDialConfig.network", file, { renamed: true }),
      one("config key", "Dial.Unix.Address", "UnixDialConfig.address", file, { renamed: true }),
      one("config key", "Dial.Ws.Address", "WsDialConfig.address", file, {
        renamed: true,
        difference: "in Go only: daemons from v0.0.92 on listen on WebSockets",
      }),
    ].map((symbol) =>
      symbol.kind === "config key"
        ? { difference: "the key in the file is spelled as there", ...symbol }
        : symbol,
    ),
  },
  {
    title: "Events",
    symbols: [
      ...["is_connected", "err", "instance_token", "sphinx_geometry", "pigeonhole_geometry"].map(
        (name) =>
          one(
            "event",
            `connection_status_event.${name}`,
            `ConnectionStatusEvent.${mechanicalName(name)}`,
            name.startsWith("is") || name === "err" || name === "instance_token"
              ? handlers
              : inside,
            name === "err" ? { difference: 'text, "" when nothing is wrong' } : {},
          ),
      ),
      one("event", "new_pki_document_event.payload", "NewPkiDocumentEvent.payload", inside, {
        difference:
          "and `document`, parsed; both null in a handshake without a document, where the binding " +
          "does not call its handler; no document is announced twice",
      }),
      one("event", "message_sent_event.message_id", "MessageSentEvent.messageId", handlers),
      renamed(
        "event",
        "message_sent_event.surbid",
        "MessageSentEvent.surbId",
        handlers,
        "spelled as two words",
      ),
      one("event", "message_sent_event.sent_at", "MessageSentEvent.sentAt", handlers, {
        difference: "a `Date`; the wire has seconds",
      }),
      renamed(
        "event",
        "message_sent_event.reply_eta",
        "MessageSentEvent.replyEtaMs",
        handlers,
        "milliseconds; the wire has nanoseconds",
      ),
      one("event", "message_sent_event.err", "MessageSentEvent.err", handlers, {
        difference: '"" when it was sent',
      }),
      one("event", "message_reply_event.message_id", "MessageReplyEvent.messageId", handlers),
      renamed(
        "event",
        "message_reply_event.surbid",
        "MessageReplyEvent.surbId",
        messages,
        "spelled as two words",
      ),
      one("event", "message_reply_event.payload", "MessageReplyEvent.payload", handlers, {
        difference: "empty bytes instead of None",
      }),
      one("event", "message_reply_event.reply_index", "MessageReplyEvent.replyIndex", handlers),
      one("event", "message_reply_event.error_code", "MessageReplyEvent.errorCode", handlers),
      one(
        "event",
        "daemon_disconnected_event.is_graceful",
        "DaemonDisconnectedEvent.isGraceful",
        handlers,
      ),
      one("event", "daemon_disconnected_event.error", "DaemonDisconnectedEvent.error", handlers, {
        difference: "an `Error` instead of a text",
      }),
    ],
  },
  {
    title: "Geometries",
    symbols: [
      one("class", "Geometry", "Geometry", sphinx, {
        difference: "also exported as `SphinxGeometry`; frozen",
      }),
      ...(
        [
          ["PacketLength", "packetLength"],
          ["NrHops", "nrHops"],
          ["HeaderLength", "headerLength"],
          ["RoutingInfoLength", "routingInfoLength"],
          ["PerHopRoutingInfoLength", "perHopRoutingInfoLength"],
          ["SURBLength", "surbLength"],
          ["SphinxPlaintextHeaderLength", "sphinxPlaintextHeaderLength"],
          ["PayloadTagLength", "payloadTagLength"],
          ["ForwardPayloadLength", "forwardPayloadLength"],
          ["UserForwardPayloadLength", "userForwardPayloadLength"],
          ["NextNodeHopLength", "nextNodeHopLength"],
          ["SPRPKeyMaterialLength", "sprpKeyMaterialLength"],
          ["NIKEName", "nikeName"],
          ["KEMName", "kemName"],
        ] as const
      ).map(([seed, twin]) =>
        renamed("attribute", `Geometry.${seed}`, `Geometry.${twin}`, sphinx, "in camelCase here"),
      ),
      one("class", "PigeonholeGeometry", "PigeonholeGeometry", pigeonhole, {
        difference: "frozen; `maxPlaintextPayloadLength` may be left out, and is then 0",
      }),
      ...ruled(
        "attribute",
        "PigeonholeGeometry",
        [
          "LENGTH_PREFIX_SIZE",
          "max_plaintext_payload_length",
          "courier_query_read_length",
          "courier_query_write_length",
          "courier_query_reply_read_length",
          "courier_query_reply_write_length",
          "nike_name",
          "signature_scheme_name",
        ],
        pigeonhole,
      ),
      ...ruled("method", "PigeonholeGeometry", ["validate"], pigeonhole, {
        difference: "`RangeError` instead of ValueError",
      }),
      ...ruled("method", "PigeonholeGeometry", ["padded_payload_length"], pigeonhole),
      renamed("method", "Geometry.__str__", "Geometry.toString", sphinx, "the same lines"),
      renamed(
        "method",
        "PigeonholeGeometry.__str__",
        "PigeonholeGeometry.toString",
        pigeonhole,
        "names the fields as the wire does, and has no heading",
      ),
    ],
  },
  {
    title: "Functions",
    symbols: [
      ...ruled("function", "", ["thin_client_error_to_string"], codes),
      ...ruled("function", "", ["error_code_to_exception"], codes, {
        difference:
          "null instead of None for 0; `DaemonRequestError` for codes without a class of their own",
      }),
      ...ruled("function", "", ["copy_reply_to_exception"], copyReply, {
        difference:
          "takes `{ errorCode, replicaErrorCode, failedEnvelopeIndex }`; a map with the wire's keys " +
          "is a `TypeError`; codes other than 26 are the daemon's own",
      }),
      ...ruled("function", "", ["is_expected_outcome"], expected, {
        difference: "narrows the type",
      }),
      ...ruled("function", "", ["pretty_print_obj"], dump, { difference: "its own layout" }),
      ...ruled("function", "", ["blake2_256_sum"], dump),
    ],
  },
  {
    title: "Kept only for parity",
    symbols: [
      ...ruled("method", "ThinClient", ["recv"], inside, {
        difference: "returns the next message received, decoded, which is also dispatched",
      }),
      ...ruled("method", "ThinClient", ["worker_loop"], life, {
        difference: "`start()` runs it; resolves when the client is closed",
      }),
      ...ruled("method", "ThinClient", ["parse_status"], inside, {
        difference: "takes a `ConnectionStatusEvent`; a map with the wire's keys is a `TypeError`",
      }),
      ...ruled("method", "ThinClient", ["parse_pki_doc"], inside, {
        difference: "parses `payload` unless `document` is given",
      }),
      ...ruled("method", "ThinClient", ["handle_response"], inside, {
        difference:
          "dispatches a decoded message (`{ kind, … }`): a reply ends its call, an event reaches " +
          "the handlers; a map with the wire's keys is a `TypeError`",
      }),
    ],
  },
  {
    title: "Exceptions",
    symbols: [
      ...ruled("exception", "", ["ConfigError"], file),
      ...ruled("exception", "", ["ThinClientOfflineError"], expected),
      ...ruled(
        "exception",
        "",
        [
          "ReplicaError",
          "BoxIDNotFoundError",
          "InvalidBoxIDError",
          "InvalidSignatureError",
          "DatabaseFailureError",
          "InvalidPayloadError",
          "StorageFullError",
          "ReplicaInternalError",
          "InvalidEpochError",
          "ReplicationFailedError",
          "BoxAlreadyExistsError",
          "TombstoneError",
          "InvalidTombstoneSignatureError",
          "MKEMDecryptionFailedError",
          "BACAPDecryptionFailedError",
          "StartResendingCancelledError",
        ],
        codes,
      ),
      ...ruled("exception", "", ["CopyCommandFailedError"], copyReply),
      ...ruled("attribute", "CopyCommandFailedError", ["replica_error_code"], copyReply),
      ...ruled("attribute", "CopyCommandFailedError", ["failed_envelope_index"], copyReply, {
        difference: "a `bigint`",
      }),
      ...ruled(
        "exception",
        "",
        [
          "CourierError",
          "CourierInvalidEnvelopeError",
          "CourierCacheCorruptionError",
          "CourierPropagationError",
          "CourierInvalidEpochError",
          "PayloadTooLargeError",
        ],
        codes,
        { version: NEWEST },
      ),
    ],
  },
  {
    title: "Constants",
    symbols: [
      ...ruled("constant", "", ["SURB_ID_SIZE", "MESSAGE_ID_SIZE"], constants),
      ...ruled("constant", "", ["MAX_MESSAGE_SIZE"], constants, { version: NEWEST }),
      ...ruled(
        "constant",
        "",
        [
          "REPLICA_SUCCESS",
          "REPLICA_ERROR_BOX_ID_NOT_FOUND",
          "REPLICA_ERROR_INVALID_BOX_ID",
          "REPLICA_ERROR_INVALID_SIGNATURE",
          "REPLICA_ERROR_DATABASE_FAILURE",
          "REPLICA_ERROR_INVALID_PAYLOAD",
          "REPLICA_ERROR_STORAGE_FULL",
          "REPLICA_ERROR_INTERNAL_ERROR",
          "REPLICA_ERROR_INVALID_EPOCH",
          "REPLICA_ERROR_REPLICATION_FAILED",
          "REPLICA_ERROR_BOX_ALREADY_EXISTS",
          "REPLICA_ERROR_TOMBSTONE",
          "THIN_CLIENT_SUCCESS",
          "THIN_CLIENT_ERROR_CONNECTION_LOST",
          "THIN_CLIENT_ERROR_TIMEOUT",
          "THIN_CLIENT_ERROR_INVALID_REQUEST",
          "THIN_CLIENT_ERROR_INTERNAL_ERROR",
          "THIN_CLIENT_ERROR_MAX_RETRIES",
          "THIN_CLIENT_ERROR_INVALID_CHANNEL",
          "THIN_CLIENT_ERROR_CHANNEL_NOT_FOUND",
          "THIN_CLIENT_ERROR_PERMISSION_DENIED",
          "THIN_CLIENT_ERROR_INVALID_PAYLOAD",
          "THIN_CLIENT_ERROR_SERVICE_UNAVAILABLE",
          "THIN_CLIENT_ERROR_DUPLICATE_CAPABILITY",
          "THIN_CLIENT_ERROR_COURIER_CACHE_CORRUPTION",
          "THIN_CLIENT_PROPAGATION_ERROR",
          "THIN_CLIENT_ERROR_INVALID_WRITE_CAPABILITY",
          "THIN_CLIENT_ERROR_INVALID_READ_CAPABILITY",
          "THIN_CLIENT_ERROR_INVALID_RESUME_WRITE_CHANNEL_REQUEST",
          "THIN_CLIENT_ERROR_INVALID_RESUME_READ_CHANNEL_REQUEST",
          "THIN_CLIENT_IMPOSSIBLE_HASH_ERROR",
          "THIN_CLIENT_IMPOSSIBLE_NEW_WRITE_CAP_ERROR",
          "THIN_CLIENT_IMPOSSIBLE_NEW_STATEFUL_WRITER_ERROR",
          "THIN_CLIENT_CAPABILITY_ALREADY_IN_USE",
          "THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED",
          "THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED",
          "THIN_CLIENT_ERROR_START_RESENDING_CANCELLED",
          "THIN_CLIENT_ERROR_INVALID_TOMBSTONE_SIG",
          "THIN_CLIENT_ERROR_COPY_COMMAND_FAILED",
        ],
        constants,
      ),
      ...ruled(
        "constant",
        "",
        [
          "THIN_CLIENT_ERROR_PAYLOAD_TOO_LARGE",
          "THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH",
          "THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID",
          "THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED",
          "THIN_CLIENT_ERROR_COURIER_INVALID_ENVELOPE",
          "THIN_CLIENT_ERROR_COURIER_INVALID_EPOCH",
        ],
        constants,
        { version: NEWEST },
      ),
    ],
  },
];
