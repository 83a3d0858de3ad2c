/** What `katzenpost-thinclient/daemon` offers: the embedded development daemon. */
export { DevDaemon, type DevDaemonOptions } from "./dev-daemon.js";
export type { Daemon } from "../daemon/daemon.js";
export type { EmbeddedNetwork, NetworkPicture, NodePicture } from "../network/network.js";
export type { WsRefusal } from "../platform/node-listen.js";
export { padsAbstractNames } from "../platform/node-unix-path.js";
export type { Kindness } from "../mixnet/kindness.js";
export { type GrowingPause, type Timing, instantTiming, upstreamTiming } from "../mixnet/timing.js";

// What those have as members
export type { ConsensusDocument, MixnetLink, MixnetLinkHandlers } from "../mixnet/link.js";
export type { OutgoingPacket, ReplyPacket, SentPacket } from "../mixnet/link.js";
export type { EnvelopeKeySource } from "../network/network.js";
export type { AuthorityIdentity } from "../network/authority/authority.js";
export type { Courier } from "../network/courier/courier.js";
export type { PublishedDocument } from "../network/directory.js";
export type { TrafficCounts } from "../network/embedded-link.js";
export type { FaultListener, NetworkFaults, PacketDirection } from "../network/faults.js";
export type { Kaetzchen, ServiceRequest } from "../network/kaetzchen/kaetzchen.js";
export type { NetworkEpoch } from "../network/network-time.js";
export type { Rates } from "../network/parameters.js";
export type { ReplicaFaults } from "../network/replica/replica-faults.js";
export type { Replica, ReplicaIdentity } from "../network/replica/replica.js";
export type { StorageDocument } from "../network/replica/shards.js";
export type { LinkConditions, StorageLinkTarget, StoragePeer } from "../network/storage-link.js";
export type { StorageNetwork } from "../network/storage-network.js";
export type { NetworkNode, NetworkReplica, NodeRole, Topology } from "../network/topology.js";
