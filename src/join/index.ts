/**
 * `katzenpost-thinclient/join`: a daemon on a real network, like upstream's `kpclientd`. It reads
 * the network's `client.toml`, connects to a gateway, verifies the consensus, sends real Sphinx
 * packets on the network's schedule with cover traffic, and serves every thin client. For Node.
 */
export {
  type JoinOptions,
  JoinedDaemon,
  type JoinedDaemonState,
  type WaitingClient,
  type WaitingPackets,
} from "./joined-daemon.js";
export {
  DaemonConfig,
  type DaemonSettings,
  type PinnedAuthority,
  type PinnedGateway,
  type ProxySettings,
} from "../config/daemon-config.js";
export { verifyPkiDocumentWith } from "../pki/verify-with.js";
export type { Pause } from "../pki/signature-scheme.js";
export type { GatewayLinkState } from "../gateway/gateway-link.js";
export type { WsRefusal } from "../platform/node-listen.js";

// Types of a JoinedDaemon's members and trace events
export type {
  Daemon,
  DaemonOptions,
  DaemonTrace,
  LinkTrace,
  TraceHook,
  TraceHop,
  TraceOperation,
  TracedRequest,
} from "../daemon/index.js";
