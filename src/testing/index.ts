/**
 * For development and tests: a network in one line, a scripted daemon, a clock that tests control,
 * and the kit that checks any daemon against the protocol.
 */
export { DevDaemon, type DevDaemonOptions, type GatewayIdentity } from "./dev-daemon.js";
export type { WsRefusal } from "../platform/node-listen.js";
export { padsAbstractNames } from "../platform/node-unix-path.js";
export {
  ScriptedConnection,
  ScriptedDaemon,
  type ScriptedDaemonOptions,
} from "./scripted-daemon.js";
export {
  type TestClientOptions,
  TestNetwork,
  type TestNetworkOptions,
  startTestNetwork,
} from "./test-network.js";
export { VirtualClock } from "../clock/virtual.js";
export type { Clock, Timer } from "../clock/clock.js";
export { type MemoryPairOptions, MemoryTransport, memoryPair } from "../transport/memory.js";
export {
  CONFORMANCE_AREAS,
  type ConformanceOptions,
  type ConformanceReport,
  type ConformanceResult,
  checkConformance,
  formatConformance,
} from "../conformance/conformance.js";
export type { ConformanceArea } from "../conformance/case.js";
export type { Dial } from "../conformance/scene.js";
export type { Verdict } from "../conformance/verdict.js";

// Types of a DevDaemon's members
export { TraceRing } from "../mixnet/trace.js";
export type {
  Daemon,
  DaemonOptions,
  DaemonTrace,
  TraceOperation,
  TracedRequest,
} from "../daemon/index.js";
export * from "../network/index.js";
