/** The handlers of events that a configuration can carry. */
import type { EventOf, EventType } from "./events.js";

/** What is called with every event of a type; the next event does not wait for its promise. */
export type ConfigHandler<T extends EventType> = (event: EventOf<T>) => void | Promise<void>;

/** Handlers of a `Config`: each may be left out, null, or set later. */
export interface EventHandlers {
  /** The daemon's connection to the mixnet: once in the handshake, then at every change. */
  onConnectionStatus?: ConfigHandler<"connectionStatus"> | null | undefined;
  /** A PKI document: once in the handshake, then at every new epoch. */
  onNewPkiDocument?: ConfigHandler<"newPkiDocument"> | null | undefined;
  /** A message left the daemon, or could not. */
  onMessageSent?: ConfigHandler<"messageSent"> | null | undefined;
  /** A reply to a message came. */
  onMessageReply?: ConfigHandler<"messageReply"> | null | undefined;
  /** The connection to the daemon is gone. */
  onDaemonDisconnected?: ConfigHandler<"daemonDisconnected"> | null | undefined;
}

/** The names of the handlers, each with the type of its events. */
export const configHandlers = {
  onConnectionStatus: "connectionStatus",
  onNewPkiDocument: "newPkiDocument",
  onMessageSent: "messageSent",
  onMessageReply: "messageReply",
  onDaemonDisconnected: "daemonDisconnected",
} as const satisfies Record<keyof EventHandlers, EventType>;
