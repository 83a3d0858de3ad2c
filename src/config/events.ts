/** The events of a client, as records distinguished by `type`. */
import type { Bytes } from "../bytes/bytes.js";
import type { MessageId, SurbId } from "../bytes/opaque.js";
import type { PkiDocument } from "../pki/document.js";
import type { Geometry } from "../pki/geometry.js";
import type { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";

/** The daemon's connection to the mixnet: once in the handshake, then at every change. */
export interface ConnectionStatusEvent {
  /** Its name for `on` and `events`. */
  readonly type: "connectionStatus";
  /** Whether the daemon is connected to the mixnet. */
  readonly isConnected: boolean;
  /** Why not; "" when nothing is wrong. */
  readonly err: string;
  /** Names the daemon's process (16 bytes); null when the daemon sent none. */
  readonly instanceToken: Bytes | null;
  /** Sizes of mixnet packets; null when the daemon sent none. */
  readonly sphinxGeometry: Geometry | null;
  /** Sizes of Pigeonhole messages; null when the daemon sent none. */
  readonly pigeonholeGeometry: PigeonholeGeometry | null;
}

/**
 * A PKI document: in the handshake, then at every new epoch; none is told twice. A daemon hands a
 * new one out late (a real one after 0.7 of the epoch), so the client asks for it when the epoch
 * has turned, where epochs are whole seconds long and the machine's clock is right.
 */
export interface NewPkiDocumentEvent {
  /** Its name for `on` and `events`. */
  readonly type: "newPkiDocument";
  /** The document as it came (CBOR, without signatures); null when the daemon has none yet. */
  readonly payload: Bytes | null;
  /** The document, decoded; null when the daemon has none yet. */
  readonly document: PkiDocument | null;
}

/** A message left the daemon, or could not. */
export interface MessageSentEvent {
  /**
   * Its name for `on` and `events`. Comes only where a reply is wanted (
   * spec/thin-protocol §4.2).
   */
  readonly type: "messageSent";
  /** 16 bytes; null for messages of this client, which gives them none. */
  readonly messageId: MessageId | null;
  /** Which message: the 16 bytes given to `sendMessage`; null when the daemon names none. */
  readonly surbId: SurbId | null;
  /** When it was sent; the wire carries whole seconds. */
  readonly sentAt: Date;
  /** How long a reply is expected to take, in ms; 0 when none is expected. */
  readonly replyEtaMs: number;
  /**
   * Why it was not sent; "" when it was. The client itself tells of messages that had not left when
   * the connection ended: a daemon forgets those, also within a session that is taken up again.
   */
  readonly err: string;
}

/** A reply to a message came. */
export interface MessageReplyEvent {
  /** Its name for `on` and `events`. */
  readonly type: "messageReply";
  /** 16 bytes; null for messages of this client, which gives them none. */
  readonly messageId: MessageId | null;
  /**
   * Which message it answers: the 16 bytes given to `sendMessage`; null when the daemon names none.
   */
  readonly surbId: SurbId | null;
  /** The reply, padded with zeros to the geometry's payload length. */
  readonly payload: Bytes;
  /** Which of two replies it is, where there can be two; else null. */
  readonly replyIndex: number | null;
  /** 0, or a code of the thin-client protocol. */
  readonly errorCode: number;
}

/** The daemon gave up on a message's reply. */
export interface MessageIdGarbageCollectedEvent {
  /**
   * Its name for `on` and `events`. Daemons of v0.0.99 never send it (spec/thin-protocol §3.2).
   */
  readonly type: "messageIdGarbageCollected";
  /** Which message: 16 bytes, as the sender gave them. */
  readonly messageId: MessageId;
}

/** The connection to the daemon is gone; the client goes on to dial unless it is closed. */
export interface DaemonDisconnectedEvent {
  /** Its name for `on` and `events`. */
  readonly type: "daemonDisconnected";
  /** Whether the daemon said goodbye before. */
  readonly isGraceful: boolean;
  /** What went wrong; null when nothing did. */
  readonly error: Error | null;
}

/** The connection to the daemon is there again, handshake and all. */
export interface ReconnectedEvent {
  /** Its name for `on` and `events`. */
  readonly type: "reconnected";
  /** Whether the daemon still knew our session. */
  readonly resumed: boolean;
  /** Whether it is another daemon process than before. */
  readonly newInstance: boolean;
}

/** The daemon says that it is about to exit. */
export interface ShutdownEvent {
  /** Its name for `on` and `events`. `daemonDisconnected` follows, with `isGraceful`. */
  readonly type: "shutdown";
}

/** A handler of the application threw, or its promise rejected. */
export interface HandlerErrorEvent {
  /** Its name for `on` and `events`. A handler of this type that throws is not told of it again. */
  readonly type: "handlerError";
  /** What it threw. */
  readonly error: unknown;
  /** Which event it was given. */
  readonly event: Exclude<ClientEvent, HandlerErrorEvent>;
}

/** The client is closed for good; the last event. */
export interface ClosedEvent {
  /** Its name for `on` and `events`. Iterators end after it. */
  readonly type: "closed";
  /** `stop()`, `disconnect()`, or an error after which the client cannot go on. */
  readonly reason: "stopped" | "disconnected" | "failed";
  /** The error when `reason` is `failed`, else null. */
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

/** The event of that name. */
export type EventOf<T extends EventType> = Extract<ClientEvent, { readonly type: T }>;
