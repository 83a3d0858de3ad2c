/**
 * `katzenpost-thinclient/workers`: connections between pages and workers, or Node's threads. They
 * reach a daemon that runs in a worker, such as one with the embedded network, or share one
 * connection to a daemon among all tabs.
 */
export {
  type MessageEndpoint,
  type MessagePortLike,
  type MessageSource,
  type PortListener,
  dialPort,
  listenForPorts,
  messagePortTransport,
} from "./message-port.js";
export { type DaemonDialler, type SharedWorkerLike, dialShared } from "./dial-shared.js";
export { type ShareOptions, type SharedConnection, shareConnection } from "./shared-connection.js";
export type { Listener, Transport, TransportHandlers } from "../transport/transport.js";
