/**
 * `katzenpost-thinclient/workers`: connections between pages and workers, or threads of Node. A
 * daemon that runs in a worker, as one with the embedded network may, is reached this way.
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
export type { Listener, Transport, TransportHandlers } from "../transport/transport.js";
