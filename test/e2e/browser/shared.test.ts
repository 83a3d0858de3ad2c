/** Tabs of a real browser that share one connection to the daemon. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Page } from "playwright-core";
import type * as channels from "../../../src/channels/index.js";
import type * as library from "../../../src/index.js";
import { DevDaemon } from "../../../src/testing/index.js";
import type * as workers from "../../../src/workers/index.js";
import { HeadlessBrowser, findChromium } from "./chromium.js";
import { PageServer } from "./page-server.js";

const TOKEN = "a-token-for-pages";
const SCRIPTS = {
  "/client.js": `
    import * as client from "katzenpost-thinclient";
    import * as channels from "katzenpost-thinclient/channels";
    import * as workers from "katzenpost-thinclient/workers";
    globalThis.katz = { ...client, ...channels, ...workers };`,
  "/connection.js": `
    import { DialConfig } from "katzenpost-thinclient";
    import { listenForPorts, shareConnection } from "katzenpost-thinclient/workers";
    const [address, token] = self.name.split(",");
    shareConnection(listenForPorts(self), new DialConfig({ ws: { address, token } }));`,
};

// Browser objects, which Node's types do not have.
declare const SharedWorker: new (url: string, options: object) => workers.SharedWorkerLike;

interface Kept {
  katz: typeof library & typeof channels & typeof workers;
  client: library.ThinClient;
  /** Writes to the channel of this page's chat. */
  say(text: string): Promise<void>;
}

/**
 * A new tab with a connected client. Without the worker's script or shared workers it connects
 * alone.
 */
async function tab(
  browser: HeadlessBrowser,
  server: PageServer,
  address: string,
  script = "/connection.js",
): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(server.origin);
  await page.waitForFunction(() => "katz" in globalThis);
  await page.evaluate(
    async ([address, token, script]) => {
      const page = globalThis as unknown as Kept;
      const { DialConfig, ThinClient, dialShared } = page.katz;
      const daemon = new DialConfig({ ws: { address: address!, token: token! } });
      const options = { type: "module", name: `${address},${token}` };
      page.client = await ThinClient.connect(
        { dial: daemon },
        {
          dial: ({ signal }) =>
            dialShared(() => new SharedWorker(script!, options), daemon, { signal }),
        },
      );
    },
    [address, TOKEN, script],
  );
  return page;
}

function echo(page: Page, text: string): Promise<string> {
  return page.evaluate(async (sent) => {
    const { client, katz } = globalThis as unknown as Kept;
    const service = client.getService("echo");
    const reply = await client.blockingSendMessage(sent, ...service.toDestination());
    return katz.utf8ToText(reply).replace(/\0+$/, "");
  }, text);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let turns = 0; !holds(); turns++) {
    assert.ok(turns < 12_000, `not within two minutes: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A server of pages, their daemon, and a browser. */
class Scene implements AsyncDisposable {
  readonly server: PageServer;
  readonly embedded: DevDaemon;
  readonly browser: HeadlessBrowser;

  private constructor(server: PageServer, embedded: DevDaemon, browser: HeadlessBrowser) {
    this.server = server;
    this.embedded = embedded;
    this.browser = browser;
  }

  /** Null without Chromium; the test is then skipped. */
  static async start(t: TestContext): Promise<Scene | null> {
    const executable = findChromium();
    if (executable === null) {
      t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
      return null;
    }
    const server = await PageServer.start("katzenpost-thinclient", SCRIPTS);
    const embedded = await DevDaemon.start({
      listen: "ws://127.0.0.1:0",
      allowedOrigins: [server.origin],
      token: TOKEN,
    });
    return new Scene(server, embedded, await HeadlessBrowser.start(executable));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser[Symbol.asyncDispose]();
    await this.embedded.close();
    await this.server[Symbol.asyncDispose]();
  }
}

test("tabs of a browser share one connection", { timeout: 270_000 }, async (t) => {
  await using scene = await Scene.start(t);
  if (scene === null) return;
  const { server, embedded, browser } = scene;
  const address = embedded.addresses[0]!;
  const load = (): DevDaemon["daemon"]["load"] => embedded.daemon.load;

  await t.test("three tabs chat, one closes, and the daemon restarts", async () => {
    const alice = await tab(browser, server, address);
    const bob = await tab(browser, server, address);
    const closing = await tab(browser, server, address);
    assert.equal(load().connections, 1);
    assert.equal(load().sessions, 1);

    await closing.evaluate(async () => {
      const { client, katz } = globalThis as unknown as Kept;
      const reads = [1, 2, 3].map(async () => {
        const { readCap, firstMessageIndex } = await client.newKeypair(katz.randomBytes(32));
        const envelope = await client.encryptRead(readCap, firstMessageIndex);
        const request = { ...envelope, readCap, messageBoxIndex: firstMessageIndex };
        void client.startResendingEncryptedMessage(request).catch(() => {});
      });
      await Promise.all(reads);
    });
    await until("its reads began", () => load().operations === 3);

    const invitation = await alice.evaluate(async () => {
      const page = globalThis as unknown as Kept;
      const channels = await page.katz.openChannels(page.client, "alice");
      const writer = await channels.create("to Bob");
      page.say = async (text) => {
        await (
          await writer.send(text)
        ).stored;
      };
      const { readCap, nextMessageBoxIndex } = await writer.invitation();
      return [readCap, nextMessageBoxIndex].map((one) => page.katz.toHex(one));
    });
    const heard = bob.evaluate(async ([readCap, index]) => {
      const { client, katz } = globalThis as unknown as Kept;
      const channels = await katz.openChannels(client, "bob");
      const reader = await channels.import("from Alice", {
        readCap: katz.ReadCap.fromHex(readCap!),
        nextMessageBoxIndex: katz.MessageBoxIndex.fromHex(index!),
      });
      const texts: string[] = [];
      for await (const message of reader) {
        texts.push(katz.utf8ToText(message.bytes));
        if (texts.length === 3) break;
      }
      return texts;
    }, invitation);
    const say = (text: string): Promise<void> =>
      alice.evaluate((said) => (globalThis as unknown as Kept).say(said), text);

    await say("one");
    const former = embedded.daemon;
    await closing.close();
    // The remaining operations are attempts of the chat's reader, which end soon.
    await until("what the closed tab had started is cancelled", () => load().operations <= 1);
    assert.equal(load().connections, 1);
    await say("two");
    await embedded.restart();
    assert.notEqual(embedded.daemon, former);
    await say("three");
    assert.deepEqual(await heard, ["one", "two", "three"]);
    assert.equal(load().connections, 1);
    assert.equal(await echo(alice, "still here"), "still here");
    await Promise.all([alice.close(), bob.close()]);
    await until("the connection ends with the last tab", () => load().connections === 0);
  });

  await t.test("a tab that crashes leaves nothing at the daemon", async () => {
    const staying = await tab(browser, server, address);
    const crashing = await tab(browser, server, address);
    await crashing.evaluate(async () => {
      const { client, katz } = globalThis as unknown as Kept;
      const { readCap, firstMessageIndex } = await client.newKeypair(katz.randomBytes(32));
      const envelope = await client.encryptRead(readCap, firstMessageIndex);
      const request = { ...envelope, readCap, messageBoxIndex: firstMessageIndex };
      void client.startResendingEncryptedMessage(request).catch(() => {});
    });
    await until("its read began", () => load().operations === 1);
    // Its page cannot say goodbye.
    void crashing.goto("chrome://crash").catch(() => {});
    await until("what the crashed tab had started is cancelled", () => load().operations === 0);
    assert.equal(await echo(staying, "still here"), "still here");
    await staying.close();
    await until("the connection ends with the last tab", () => load().connections === 0);
    await crashing.close();
  });

  await t.test("each tab has a connection of its own without shared workers", async () => {
    await browser.context.addInitScript(() => {
      delete (globalThis as { SharedWorker?: unknown }).SharedWorker;
    });
    const tabs = [await tab(browser, server, address), await tab(browser, server, address)];
    assert.equal(load().connections, 2);
    assert.equal(await echo(tabs[1]!, "alone"), "alone");
    await Promise.all(tabs.map((one) => one.close()));
  });
});

test("a shared worker whose script is missing", { timeout: 270_000 }, async (t) => {
  await using scene = await Scene.start(t);
  if (scene === null) return;
  const { server, embedded, browser } = scene;
  // The server returns a page at that path, which is not a script.
  const page = await tab(browser, server, embedded.addresses[0]!, "/no-such-script.js");
  assert.equal(await echo(page, "alone"), "alone");
  assert.equal(embedded.daemon.load.connections, 1);
});
