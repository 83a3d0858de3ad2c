/** Pages with a client, and a network in a worker to which they can connect. */
import type { Page } from "playwright-core";
import type * as channels from "../../../src/channels/index.js";
import type * as library from "../../../src/index.js";
import type * as workers from "../../../src/workers/index.js";
import type { HeadlessBrowser } from "./chromium.js";
import type { PageServer } from "./page-server.js";

/** The scripts of the page and of the worker, for `PageServer.start`. */
export const SCRIPTS = {
  "/client.js": `
    import * as client from "katzenpost-thinclient";
    import * as channels from "katzenpost-thinclient/channels";
    import * as workers from "katzenpost-thinclient/workers";
    globalThis.katz = { ...client, ...channels, ...workers };`,
  "/network.js": `
    import { EmbeddedDaemon } from "katzenpost-thinclient/network";
    import { listenForPorts } from "katzenpost-thinclient/workers";
    const listener = listenForPorts(self);
    const store = self.name === "" ? undefined : self.name;
    const embedded = await EmbeddedDaemon.start({ store });
    embedded.daemon.listen(listener);`,
  "/browser-ctidh-worker.js": `import "./dist/src/platform/browser-ctidh-worker.js";`,
};

// Browser objects, which Node's types do not have.
declare const Worker: new (url: string, options: object) => workers.MessageEndpoint;
declare const SharedWorker: new (
  url: string,
  options: object,
) => { readonly port: workers.MessagePortLike };

/** The exports of the page's script. */
type Katz = typeof library & typeof channels & typeof workers;
/** Values that pages store for later steps. */
export interface Kept {
  katz: Katz;
  client: library.ThinClient;
  /** One more client of the same network. */
  connect(): Promise<library.ThinClient>;
}

/** A new page. */
export async function open(browser: HeadlessBrowser, server: PageServer): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(server.origin);
  await page.waitForFunction(() => "katz" in globalThis);
  return page;
}

/**
 * Connects the page to the network in its own worker, or in one that all pages share; returns how
 * many milliseconds that took.
 * @param name of the database that keeps the boxes; without it they are kept in memory.
 */
export async function connect(page: Page, kind: "own" | "shared", name = ""): Promise<number> {
  return page.evaluate(
    async ([worker, store]) => {
      const page = globalThis as unknown as Kept;
      const { ThinClient, dialPort } = page.katz;
      const since = performance.now();
      const options = { type: "module", name: store } as const;
      const target =
        worker === "own"
          ? new Worker("/network.js", options)
          : new SharedWorker("/network.js", options).port;
      // The address only appears in messages: `dial` makes the connection.
      const dial = { ws: { address: "ws://in-this-page" } };
      page.connect = () =>
        ThinClient.connect({ dial }, { dial: (options) => dialPort(target, options) });
      page.client = await page.connect();
      return performance.now() - since;
    },
    [kind, name] as const,
  );
}
