/**
 * `katzenpost-thinclient/testing` for a page: the same network and daemon as in Node, with
 * connections in memory.
 */
import { EmbeddedDaemon, type EmbeddedDaemonOptions } from "katzenpost-thinclient/network";

/** The networks that programs have started; the runner reports the state of the last one. */
export const started: EmbeddedDaemon[] = [];

/** Like the class in Node, except that a page cannot listen, so it ignores `listen`. */
export const DevDaemon = {
  async start(options: EmbeddedDaemonOptions & { listen?: unknown } = {}): Promise<EmbeddedDaemon> {
    const { listen: _, ...rest } = options;
    const embedded = await EmbeddedDaemon.start(rest);
    started.push(embedded);
    return embedded;
  },
};
