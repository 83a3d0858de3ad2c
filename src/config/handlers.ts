/** The event handlers of a configuration. */
import type { EventOf, EventType } from "./events.js";

/** Called with every event of a type; the next event does not wait for its promise. */
export type ConfigHandler<T extends EventType> = (event: EventOf<T>) => void | Promise<void>;

/** Handlers of a `Config`: each may be missing, null, or set later. */
export interface EventHandlers {
  /**
   * The status of the daemon's connection to the mixnet: once in the handshake, then at every
   * change.
   */
  onConnectionStatus?: ConfigHandler<"connectionStatus"> | null | undefined;
  /** A PKI document: once in the handshake, then at every new epoch. */
  onNewPkiDocument?: ConfigHandler<"newPkiDocument"> | null | undefined;
  /** A message left the daemon, or could not be sent. */
  onMessageSent?: ConfigHandler<"messageSent"> | null | undefined;
  /** A reply to a message arrived. */
  onMessageReply?: ConfigHandler<"messageReply"> | null | undefined;
  /** The connection to the daemon was lost. */
  onDaemonDisconnected?: ConfigHandler<"daemonDisconnected"> | null | undefined;
}

/** The names of the handlers, each with its event type. */
export const configHandlers = {
  onConnectionStatus: "connectionStatus",
  onNewPkiDocument: "newPkiDocument",
  onMessageSent: "messageSent",
  onMessageReply: "messageReply",
  onDaemonDisconnected: "daemonDisconnected",
} as const satisfies Record<keyof EventHandlers, EventType>;
