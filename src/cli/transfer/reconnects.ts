/** Saying that the daemon went away, and that it is back. */
import type { ThinClient } from "katzenpost-thinclient";
import { Output, type OutputFlags } from "../output.js";

/** For commands that live through the loss of the daemon: remarks about it. */
export function tellReconnects(flags: OutputFlags): (client: ThinClient) => void {
  const output = new Output(flags);
  return (client) => {
    client.on("daemonDisconnected", () => {
      if (client.state !== "closed") output.remark("the daemon went away; connecting again …");
    });
    client.on("reconnected", () => output.remark("connected again"));
  };
}
