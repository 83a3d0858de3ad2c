/** Saying that the daemon went away, and that it is back. */
import type { ClientRun } from "./connect.js";

/** For commands that live through the loss of the daemon: remarks about it. */
export function tellReconnects({ client, output, signal }: ClientRun): void {
  client.on("daemonDisconnected", () => {
    // At Ctrl-C it is we who leave.
    if (!signal.aborted) output.remark("the daemon went away; connecting again …");
  });
  client.on("reconnected", () => output.remark("connected again"));
}
