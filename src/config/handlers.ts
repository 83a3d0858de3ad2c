/** The handlers of events that a configuration can carry. */
import type { EventOf, EventType } from "./events.js";

/** What is called with every event of a type; the next event does not wait for its promise. */
export type ConfigHandler<T extends EventType> = (event: EventOf<T>) => void | Promise<void>;

/** Handlers of a `Config`: all may be left out, or set later. */
export interface EventHandlers {
  /** The daemon's connection to the mixnet: once in the handshake, then at every change. */
  onConnectionStatus?: ConfigHandler<"connectionStatus"> | undefined;
  /** A PKI document: once in the handshake, then at every new epoch. */
  onNewPkiDocument?: ConfigHandler<"newPkiDocument"> | undefined;
  /** A message left the daemon, or could not. */
  onMessageSent?: ConfigHandler<"messageSent"> | undefined;
  /** A reply to a message came. */
  onMessageReply?: ConfigHandler<"messageReply"> | undefined;
  /** The connection to the daemon is gone. */
  onDaemonDisconnected?: ConfigHandler<"daemonDisconnected"> | undefined;
}

/** The names of the handlers, each with the type of its events. */
export const configHandlers = {
  onConnectionStatus: "connectionStatus",
  onNewPkiDocument: "newPkiDocument",
  onMessageSent: "messageSent",
  onMessageReply: "messageReply",
  onDaemonDisconnected: "daemonDisconnected",
} as const satisfies Record<keyof EventHandlers, EventType>;
