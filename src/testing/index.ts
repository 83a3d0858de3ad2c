export {
  ScriptedConnection,
  ScriptedDaemon,
  type ScriptedDaemonOptions,
} from "./scripted-daemon.js";
export { VirtualClock } from "../clock/virtual.js";
export { MemoryTransport, memoryPair } from "../transport/memory.js";
