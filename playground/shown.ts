/** Shows a program's network in the console: a feed with a client of its own. */
import { type Metric, ThinClient, verifyPkiDocument } from "katzenpost-thinclient";
import type { EmbeddedDaemon, EmbeddedDaemonOptions } from "katzenpost-thinclient/network";
import { ConsoleFeed } from "../src/console/feed.js";
import type { ConsoleAction, ToPage } from "../src/console/protocol.js";
import type { RunReport } from "./messages.js";

type Trace = Parameters<NonNullable<EmbeddedDaemonOptions["onTrace"]>>[0];

/** A network that the console shows. */
export interface Shown {
  readonly onTrace: (event: Trace) => void;
  /** Begins to show it. */
  attach(embedded: EmbeddedDaemon): Promise<void>;
  perform(action: ConsoleAction): void;
  /** Ends the console's own client, before the network ends. */
  close(): Promise<void>;
}

/** Longer than the feed takes to send its last events, in ms. */
const LAST_EVENTS_MS = 300;

declare const version: string;

/** A network to show, which does not exist yet. */
export function show(): Shown {
  const post = (report: RunReport): void => postMessage(report);
  const early: Trace[] = [];
  let feed: ConsoleFeed | null = null;
  let client: ThinClient | null = null;
  return {
    onTrace: (event) => {
      if (feed === null) early.push(event);
      else feed.add(event);
    },
    async attach(embedded) {
      const metrics = (metric: Metric): void => feed?.addMetric(metric);
      client = new ThinClient(embedded.config(), { metrics });
      // A program may move the clock, so nothing here waits for it.
      client.start().catch(() => {});
      feed = new ConsoleFeed({
        mode: "embedded",
        client,
        clock: embedded.clock,
        version,
        addresses: [],
        embedded,
        joined: null,
        virtual: null,
        verify: (raw, authorities, epoch) => {
          const { signers } = verifyPkiDocument(raw, authorities, { epoch });
          const signed = new Set(signers.map(({ identifier }) => identifier));
          const checked = authorities.map(({ identifier }) => {
            return { authority: identifier, valid: signed.has(identifier) };
          });
          return Promise.resolve(checked);
        },
      });
      for (const event of early.splice(0)) feed.add(event);
      feed.open((message: ToPage) => post({ type: "console", message }));
    },
    perform: (action) => void feed?.perform(action),
    async close() {
      await client?.stop({ drain: false });
      const closing = feed;
      setTimeout(() => {
        closing?.close();
        post({ type: "closed" });
      }, LAST_EVENTS_MS);
    },
  };
}
