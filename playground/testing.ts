/**
 * `katzenpost-thinclient/testing` for a page: the same network and daemon as in Node, with
 * connections in memory, shown by the console beside the program.
 */
import { EmbeddedDaemon, type EmbeddedDaemonOptions } from "katzenpost-thinclient/network";
import type { UsualMixing } from "./messages.js";
import { type Shown, show } from "./shown.js";

/** What the runner sets before a program runs, and what it reads. */
export const here: { mixing: UsualMixing; shown: Shown | null } = {
  mixing: "realistic",
  shown: null,
};

/** Like the class in Node, except that a page cannot listen, so it ignores `listen`. */
export const DevDaemon = {
  async start(options: EmbeddedDaemonOptions & { listen?: unknown } = {}): Promise<EmbeddedDaemon> {
    const { listen: _, onTrace, ...rest } = options;
    const shown = show();
    const embedded = await EmbeddedDaemon.start({
      ...rest,
      mixing: options.mixing ?? here.mixing,
      onTrace: (event) => {
        shown.onTrace(event);
        onTrace?.(event);
      },
    });
    const close = embedded.close.bind(embedded);
    embedded.close = async () => {
      await shown.close();
      await close();
    };
    await shown.attach(embedded);
    here.shown = shown;
    return embedded;
  },
};
