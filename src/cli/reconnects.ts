/** Coming back to a daemon that went away, and saying so. */
import type { ClientRun } from "./connect.js";

/**
 * How commands that live through the loss of the daemon come back to it, in milliseconds. Somebody
 * looks on and starts it again: the library's own pauses, up to a minute, would be too long.
 */
export const RECONNECT = { initialDelayMs: 250, maxDelayMs: 5000 } as const;

/** For commands that live through the loss of the daemon: remarks about it. */
export function tellReconnects({ client, output, signal }: ClientRun): void {
  client.on("daemonDisconnected", () => {
    // At Ctrl-C it is we who leave.
    if (!signal.aborted) output.remark("the daemon is away; connecting again …");
  });
  client.on("reconnected", ({ newInstance }) => {
    output.remark(newInstance ? "reconnected, to a daemon that was restarted" : "reconnected");
  });
}
