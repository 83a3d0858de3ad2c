/** The client in a real browser, over a WebSocket to the embedded daemon. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { DevDaemon } from "../../../src/testing/index.js";
import type * as library from "../../../src/index.js";
import { HeadlessBrowser, findChromium } from "./chromium.js";
import { PageServer } from "./page-server.js";

declare global {
  // Properties of the page, which Node's types do not have.
  function dispatchEvent(event: Event): boolean;
}

const TOKEN = "a-token-for-pages";

interface Given {
  readonly address: string;
  readonly token: string;
}

/** The code that runs in the page; it cannot use anything else from this file. */
async function useClient({ address, token }: Given): Promise<Record<string, unknown>> {
  const { ThinClient, utf8ToText, isThinClientError } = (
    globalThis as unknown as { katz: typeof library }
  ).katz;
  try {
    const options = { reconnect: false } as const;
    const client = await ThinClient.connect({ dial: { ws: { address, token } } }, options);
    const echo = client.getService("echo");
    const reply = await client.blockingSendMessage("hello from a page", ...echo.toDestination());
    const keys = await client.newKeypair(new Uint8Array(32).fill(7));
    await client.write(keys.writeCap, keys.firstMessageIndex, "a box");
    const { plaintext } = await client.read(keys.readCap, keys.firstMessageIndex);
    await client.stop();
    return {
      echo: utf8ToText(reply.subarray(0, 17)),
      box: utf8ToText(plaintext),
      state: client.state,
    };
  } catch (error) {
    return { error: isThinClientError(error) ? error.code : String(error) };
  }
}

async function open(browser: HeadlessBrowser, server: PageServer): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(server.origin);
  await page.waitForFunction(() => "katz" in globalThis);
  return page;
}

test("a page in a browser uses the client", { timeout: 540_000 }, async (t) => {
  const executable = findChromium();
  if (executable === null) {
    t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
    return;
  }
  await using server = await PageServer.start();
  await using stranger = await PageServer.start();
  await using daemon = await DevDaemon.start({
    listen: "ws://127.0.0.1:0",
    allowedOrigins: [server.origin],
    token: TOKEN,
  });
  await using browser = await HeadlessBrowser.start(executable);
  const given = { address: daemon.addresses[0]!, token: TOKEN };

  await t.test("echoes, writes and reads", async () => {
    const page = await open(browser, server);
    assert.deepEqual(await page.evaluate(useClient, given), {
      echo: "hello from a page",
      box: "a box",
      state: "closed",
    });
  });
  await t.test("reconnects at once when the page wakes up, however long the pause", async () => {
    await using own = await DevDaemon.start({
      listen: "ws://127.0.0.1:0",
      allowedOrigins: [server.origin],
      token: TOKEN,
    });
    const page = await open(browser, server);
    await page.evaluate(
      async ({ address, token }) => {
        const page = globalThis as unknown as { katz: typeof library; client: library.ThinClient };
        page.client = await page.katz.ThinClient.connect(
          { dial: { ws: { address, token } } },
          { reconnect: { initialDelayMs: 3_600_000, maxDelayMs: 3_600_000 } },
        );
      },
      { ...given, address: own.addresses[0]! },
    );
    await own.restart();
    const state = await page.evaluate(async () => {
      const { client } = globalThis as unknown as { client: library.ThinClient };
      while (client.state !== "reconnecting") await new Promise((go) => setTimeout(go, 10));
      globalThis.dispatchEvent(new Event("online"));
      const echo = client.getService("echo");
      await client.blockingSendMessage("awake", ...echo.toDestination());
      return client.state;
    });
    assert.equal(state, "ready");
    await page.close();
  });
  await t.test("is refused with a wrong token", async () => {
    const page = await open(browser, server);
    const outcome = await page.evaluate(useClient, { ...given, token: "a-guess" });
    assert.deepEqual(outcome, { error: "ERR_CONNECT" });
  });
  await t.test("is refused from an origin that is not allowed", async () => {
    const page = await open(browser, stranger);
    assert.deepEqual(await page.evaluate(useClient, given), { error: "ERR_CONNECT" });
  });
});
