/**
 * What must not compile: a daemon that sends at once into a real network. Nothing here runs; a line
 * that does compile is an error of the compiler's (an unused `@ts-expect-error`).
 */
import type { GatewayLink } from "../../src/gateway/gateway-link.js";
import type { DaemonOptions } from "../../src/daemon/index.js";
import { JoinedDaemon } from "../../src/join/index.js";
import { DevDaemon } from "../../src/testing/index.js";

declare const link: GatewayLink;
declare const options: DaemonOptions;

/** What does compile: only an embedded network may send at once. */
export async function right(): Promise<"poisson"> {
  await DevDaemon.start({ mixing: "instant" });
  await JoinedDaemon.start({ config: "client.toml", epochMs: 120_000 });
  return link.pace;
}

/** The link of a real network has one pace, which nobody can change. */
export async function atOnce(): Promise<void> {
  // @ts-expect-error -- packets leave on the ticks of the schedule
  await JoinedDaemon.start({ config: "client.toml", mixing: "instant" });
  // @ts-expect-error -- the same by the link's word for it
  await JoinedDaemon.start({ config: "client.toml", pace: "instant" });
  // @ts-expect-error -- the pace of a real network is not that of an embedded one
  const pace: "instant" = link.pace;
  // @ts-expect-error -- it is read-only
  link.pace = pace;
  // @ts-expect-error -- the daemon takes its pace from its link
  options.mixing = pace;
}
