/** The line of test code for a button of the console. */
import type { ConsoleAction } from "./protocol.js";

/**
 * The line, for a test that has `client`, `daemon` (a `DevDaemon`) and `clock` (its `VirtualClock`).
 * @param replicas the names of the network's replicas, in the order of `daemon.storage.replicas`.
 */
export function testCodeFor(action: ConsoleAction, replicas: readonly string[]): string {
  const replica = (name: string): string =>
    `daemon.storage.replicas[${replicas.indexOf(name)}].faults`;
  switch (action.do) {
    case "echo":
      return `await client.blockingSendMessage("hello", ...client.getService("echo").toDestination());`;
    case "write":
      return `({ nextMessageBoxIndex: index } = await client.write(writeCap, index, "text"));`;
    case "read":
      return `await client.read(readCap, index);`;
    case "readMissing":
      return `await client.read(readCap, index, { wait: false }); // throws BoxIDNotFoundError`;
    case "delete":
      return `await client.tombstone(writeCap, index);`;
    case "newStream":
      return `const { writeCap, readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));`;
    case "online":
      return `daemon.network.faults.setOnline(${action.value});`;
    case "withhold":
      return `daemon.network.faults.withholdDocuments(${action.value});`;
    case "loss":
      return `daemon.network.faults.setLoss(${action.value});`;
    case "delay":
      return `daemon.network.faults.setExtraDelay(${action.value});`;
    case "dropNext":
      return `daemon.network.faults.dropNext(1, "${action.way}");`;
    case "epoch":
      return `await daemon.network.advanceEpoch();`;
    case "crash":
      return `await daemon.crash();`;
    case "restart":
      return `await daemon.restart();`;
    case "clearFaults":
      return [
        "daemon.network.faults.setOnline(true);",
        "daemon.network.faults.setLoss(0);",
        "daemon.network.faults.setExtraDelay(0);",
        "daemon.network.faults.withholdDocuments(false);",
        "for (const replica of daemon.storage.replicas) replica.faults.clear();",
      ].join(" ");
    case "replicaOffline":
      return `${replica(action.replica)}.offline = ${action.value};`;
    case "replicaFail":
      return `${replica(action.replica)}.failNext(${action.code});`;
    case "replicaSlow":
      return `${replica(action.replica)}.slowMs = ${action.value};`;
    case "clock":
      return {
        pause: `const clock = new VirtualClock(); // time stands still until you move it`,
        run: `await clock.advance(${action.ms}); // again and again`,
        step: `await clock.advance(${action.ms});`,
        idle: `await clock.runUntil(work);`,
      }[action.how];
  }
}
