/**
 * `katzenpost-thinclient/daemon`: the daemon proper, which is what `kpclientd` is. It serves thin
 * clients on any transport, and sends their packets through a {@link MixnetLink}. It runs in Node
 * and in browsers. A daemon with an embedded network is `DevDaemon` in
 * `katzenpost-thinclient/testing`.
 */
export { Daemon, type DaemonOptions } from "./daemon.js";
export { LinkError } from "../mixnet/link.js";
export type {
  ConsensusDocument,
  LinkPace,
  MixnetLink,
  MixnetLinkHandlers,
  OutgoingPacket,
  ReplyPacket,
  SentPacket,
} from "../mixnet/link.js";
export { type GrowingPause, type Timing, instantTiming, upstreamTiming } from "../mixnet/timing.js";
export type { Kindness } from "../mixnet/kindness.js";
export type { DaemonTrace, TraceOperation, TracedRequest } from "./trace.js";
export { type LinkTrace, type TraceHook, type TraceHop, TraceRing } from "../mixnet/trace.js";

// Types of their members
export type { MaybePromise, NikeKeyPair, NikeScheme } from "../crypto/nike/scheme.js";
export type { PigeonholeSizes } from "../pki/pigeonhole-sizes.js";
export type { AnyFields, RecordOf, Schema } from "../wire/schema.js";
