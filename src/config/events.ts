/** The events of a client, as records distinguished by `type`. */
import type { Bytes } from "../bytes/bytes.js";
import type { MessageId, SurbId } from "../bytes/opaque.js";
import type { PkiDocument } from "../pki/document.js";
import type { Geometry } from "../pki/geometry.js";
import type { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";

/**
 * The status of the daemon's connection to the mixnet: once in the handshake, then at every change.
 */
export interface ConnectionStatusEvent {
  /** The event's name for `on` and `events`. */
  readonly type: "connectionStatus";
  /** Whether the daemon is connected to the mixnet. */
  readonly isConnected: boolean;
  /**
   * Why not, if the daemon says it: real daemons, and ours, always send "" (spec/thin-protocol
   * §4.1). `katz doctor` shows why this project's daemon is not connected.
   */
  readonly err: string;
  /** Identifies the daemon's process (16 bytes); null if the daemon sent none. */
  readonly instanceToken: Bytes | null;
  /** Sizes of mixnet packets; null if the daemon sent none. */
  readonly sphinxGeometry: Geometry | null;
  /** Sizes of Pigeonhole messages; null if the daemon sent none. */
  readonly pigeonholeGeometry: PigeonholeGeometry | null;
}

/**
 * A PKI document: in the handshake, then at every new epoch; none is announced twice. A daemon
 * announces a new one late (a real one after 0.7 of the epoch), so the client asks for it when the
 * epoch changes. That needs epochs of whole or half seconds and a correct clock on this machine.
 */
export interface NewPkiDocumentEvent {
  /** The event's name for `on` and `events`. */
  readonly type: "newPkiDocument";
  /** The document as received (CBOR, without signatures); null if the daemon has none yet. */
  readonly payload: Bytes | null;
  /** The document, decoded; null if the daemon has none yet. */
  readonly document: PkiDocument | null;
}

/** A message left the daemon, or could not be sent. */
export interface MessageSentEvent {
  /**
   * The event's name for `on` and `events`. Only for messages with a reply block
   * (spec/thin-protocol §4.2).
   */
  readonly type: "messageSent";
  /** 16 bytes; null for messages of this client, which have none. */
  readonly messageId: MessageId | null;
  /** The message's 16 bytes from `sendMessage`; null if the daemon does not name the message. */
  readonly surbId: SurbId | null;
  /** When it was sent; the wire carries whole seconds. */
  readonly sentAt: Date;
  /** How long a reply is expected to take, in ms; 0 when none is expected. */
  readonly replyEtaMs: number;
  /**
   * Why it was not sent; "" if it was. The client itself reports messages that had not left when
   * the connection ended, because a daemon forgets those, even if the session is resumed.
   */
  readonly err: string;
}

/** A reply to a message arrived. */
export interface MessageReplyEvent {
  /** The event's name for `on` and `events`. */
  readonly type: "messageReply";
  /** 16 bytes; null for messages of this client, which have none. */
  readonly messageId: MessageId | null;
  /**
   * The answered message's 16 bytes from `sendMessage`; null if the daemon does not name the
   * message.
   */
  readonly surbId: SurbId | null;
  /** The reply, padded with zeros to the geometry's `forwardPayloadLength`. */
  readonly payload: Bytes;
  /** Which of two replies it is, if there can be two; otherwise null. */
  readonly replyIndex: number | null;
  /** 0, or a code of the thin-client protocol. */
  readonly errorCode: number;
}

/** The daemon gave up on a message's reply. */
export interface MessageIdGarbageCollectedEvent {
  /**
   * The event's name for `on` and `events`. Daemons of v0.0.99 never send it (spec/thin-protocol
   * §3.2).
   */
  readonly type: "messageIdGarbageCollected";
  /** The message's 16 bytes, from its sender. */
  readonly messageId: MessageId;
}

/** The connection to the daemon was lost; the client dials again unless it is closed. */
export interface DaemonDisconnectedEvent {
  /** The event's name for `on` and `events`. */
  readonly type: "daemonDisconnected";
  /** Whether the daemon said goodbye before. */
  readonly isGraceful: boolean;
  /** What went wrong; null if nothing did. */
  readonly error: Error | null;
}

/** The connection to the daemon was made again, including the handshake. */
export interface ReconnectedEvent {
  /** The event's name for `on` and `events`. */
  readonly type: "reconnected";
  /** Whether the daemon still knew our session. */
  readonly resumed: boolean;
  /** Whether it is another daemon process than before. */
  readonly newInstance: boolean;
}

/** The daemon says that it is about to exit. */
export interface ShutdownEvent {
  /** The event's name for `on` and `events`. `daemonDisconnected` follows, with `isGraceful`. */
  readonly type: "shutdown";
}

/** A handler of the application threw, or its promise rejected. */
export interface HandlerErrorEvent {
  /**
   * The event's name for `on` and `events`. If a handler of this type throws, that is not reported
   * again.
   */
  readonly type: "handlerError";
  /** The thrown value. */
  readonly error: unknown;
  /** The event that was passed to the handler. */
  readonly event: Exclude<ClientEvent, HandlerErrorEvent>;
}

/** The client is closed for good; the last event. */
export interface ClosedEvent {
  /** The event's name for `on` and `events`. Iterators end after it. */
  readonly type: "closed";
  /** `stop()`, `disconnect()`, or an error after which the client cannot continue. */
  readonly reason: "stopped" | "disconnected" | "failed";
  /** The error if `reason` is `failed`, otherwise null. */
  readonly error: Error | null;
}

/** Every event of a client. */
export type ClientEvent =
  | ConnectionStatusEvent
  | NewPkiDocumentEvent
  | MessageSentEvent
  | MessageReplyEvent
  | MessageIdGarbageCollectedEvent
  | DaemonDisconnectedEvent
  | ReconnectedEvent
  | ShutdownEvent
  | HandlerErrorEvent
  | ClosedEvent;

/** The name of an event. */
export type EventType = ClientEvent["type"];

/** The names of all events. */
export const eventTypes = [
  "connectionStatus",
  "newPkiDocument",
  "messageSent",
  "messageReply",
  "messageIdGarbageCollected",
  "daemonDisconnected",
  "reconnected",
  "shutdown",
  "handlerError",
  "closed",
] as const satisfies readonly EventType[];

/** The event with that name. */
export type EventOf<T extends EventType> = Extract<ClientEvent, { readonly type: T }>;
