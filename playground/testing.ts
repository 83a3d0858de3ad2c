/**
 * `katzenpost-thinclient/testing` for a page: the same network and daemon as in Node, reached by
 * connections in memory.
 */
import { EmbeddedDaemon, type EmbeddedDaemonOptions } from "katzenpost-thinclient/network";

/** Networks that programs have started, for those who show what they do. */
export const started: EmbeddedDaemon[] = [];

/** As in Node, but that a page cannot listen: the addresses are left out. */
export const DevDaemon = {
  async start(options: EmbeddedDaemonOptions & { listen?: unknown } = {}): Promise<EmbeddedDaemon> {
    const { listen: _, ...rest } = options;
    const embedded = await EmbeddedDaemon.start(rest);
    started.push(embedded);
    return embedded;
  },
};
