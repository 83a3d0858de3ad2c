/** Reconnects to a daemon that went away, and reports it. */
import type { ClientRun } from "./connect.js";

/**
 * The pauses, in milliseconds, for commands that survive the loss of the daemon. The user is
 * watching and restarts the daemon; the library's own pauses, up to a minute, would be too long.
 */
export const RECONNECT = { initialDelayMs: 250, maxDelayMs: 5000 } as const;

/** Prints remarks about lost connections and reconnects, for commands that survive them. */
export function tellReconnects({ client, output, signal }: ClientRun): void {
  client.on("daemonDisconnected", () => {
    // After Ctrl-C it is the command that disconnects.
    if (!signal.aborted) output.remark("the daemon is away; connecting again …");
  });
  client.on("reconnected", ({ newInstance }) => {
    output.remark(newInstance ? "reconnected, to a daemon that was restarted" : "reconnected");
  });
}
