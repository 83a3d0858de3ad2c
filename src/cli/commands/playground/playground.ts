/** `katz playground`: serves the playground's page on this machine. */
import { aborted } from "../../interrupt.js";
import type { OutputFlags } from "../../output.js";
import { runCommand } from "../../run.js";
import { StaticServer } from "./static-server.js";

/** Flags of the command. */
export interface PlaygroundFlags extends OutputFlags {
  readonly port?: number;
}

/** Where the files of the page, and of the console in it, are after the build. */
const FOLDERS = ["playground", "console"].map(
  (name) => new URL(`../../../../${name}/`, import.meta.url),
);

/** Runs until SIGINT or SIGTERM. */
export function playground({ port = 0, ...flags }: PlaygroundFlags): Promise<void> {
  return runCommand(flags, async ({ output, signal }) => {
    await using server = await StaticServer.start(FOLDERS, port);
    const url = `${server.origin}/`;
    output.result(url, { type: "playground", time: new Date(), url, pid: process.pid });
    output.remark("open this address in a browser of this machine; Ctrl-C ends it");
    await aborted(signal);
  });
}
