export { DevDaemon, type DevDaemonOptions } from "./dev-daemon.js";
export type { Daemon } from "../daemon/daemon.js";
export type { EmbeddedNetwork, NetworkPicture, NodePicture } from "../network/network.js";
export { type Timing, instantTiming, upstreamTiming } from "../mixnet/timing.js";
