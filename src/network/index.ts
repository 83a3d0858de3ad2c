/**
 * `katzenpost-thinclient/network`: the embedded network, with authorities that sign documents,
 * simulated mixes, services, couriers and storage replicas in one process. It runs in Node and in
 * browsers. It gives no anonymity: use it for development and tests.
 */
export {
  EmbeddedDaemon,
  type EmbeddedDaemonOptions,
  type EmbeddedDaemonSurroundings,
} from "./embedded-daemon.js";
export {
  EmbeddedNetwork,
  type EmbeddedNetworkOptions,
  type NetworkPicture,
  type NodePicture,
} from "./network.js";
export { StorageNetwork, type StorageNetworkOptions } from "./storage-network.js";
export { type GrowingPause, type Timing, instantTiming, upstreamTiming } from "../mixnet/timing.js";
export type { Kindness } from "../mixnet/kindness.js";
export type { DaemonTrace, TraceOperation, TracedRequest } from "../daemon/trace.js";
export type { LinkTrace, TraceHook, TraceHop } from "../mixnet/trace.js";

// Types of their members
export type { KeptNetwork } from "./kept-network.js";
export type { NetworkShape } from "./network-shape.js";
export type { BoxStore, KeptBox } from "./replica/box-store.js";
export type { CourierRecord, CourierRecordKind, EnvelopeLog } from "./courier/envelope-log.js";
export type { SignedBox } from "../crypto/envelope/replica-messages.js";
export type { Seed } from "./random.js";
export type {
  ConsensusDocument,
  MixnetLink,
  MixnetLinkHandlers,
  OutgoingPacket,
  ReplyPacket,
  SentPacket,
} from "../mixnet/link.js";
export type { AuthorityIdentity } from "./authority/authority.js";
export type { Courier } from "./courier/courier.js";
export type { PublishedDocument } from "./directory.js";
export type { Mixing, TrafficCounts } from "./embedded-link.js";
export type { FaultListener, NetworkFaults, PacketDirection } from "./faults.js";
export type { Kaetzchen, ServiceRequest } from "./kaetzchen/kaetzchen.js";
export type { NetworkEpoch } from "./network-time.js";
export type { Rates } from "./parameters.js";
export type { ReplicaFaults } from "./replica/replica-faults.js";
export type { Replica, ReplicaIdentity } from "./replica/replica.js";
export type { StorageDocument } from "./replica/shards.js";
export type {
  LinkConditions,
  StorageLinkTarget,
  StoragePeer,
  StorageTrace,
} from "./storage-link.js";
export type { NetworkNode, NetworkReplica, NodeRole, Topology } from "./topology.js";
