/** One suite for every kind of database: in memory, LevelDB, and IndexedDB in a real browser. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it, test } from "node:test";
import { MemoryLevel } from "memory-level";
import { type ChannelDatabase, openChannels } from "../../src/channels/index.js";
import { realClock } from "../../src/clock/real.js";
import { HeadlessBrowser, findChromium } from "../e2e/browser/chromium.js";
import { PageServer } from "../e2e/browser/page-server.js";
import { BoxesDouble } from "./boxes-double.js";
import type * as suite from "./store-suite.js";
import { type StorePlace, namedStoreCases, storeCases } from "./store-suite.js";

const folder = mkdtempSync(join(tmpdir(), "katz-stores-"));
after(() => rmSync(folder, { recursive: true }));
let stores = 0;

describe("channels over memory-level", () => {
  const place = (): StorePlace => {
    const database = new MemoryLevel<string, Uint8Array>() as never as ChannelDatabase;
    return () => database;
  };
  for (const [name, run] of Object.entries(storeCases)) it(name, () => run(place(), place()));
});

describe("channels over classic-level", () => {
  const place = (): StorePlace => {
    const path = join(folder, String(stores++));
    return () => path;
  };
  for (const [name, run] of Object.entries({ ...storeCases, ...namedStoreCases })) {
    it(name, () => run(place(), place()));
  }
});

test(
  "a store's folder is for its owner only, and refused if others can read it",
  { skip: process.platform === "win32" ? "not run: no modes here" : false },
  async () => {
    const path = join(folder, "private");
    const client = new BoxesDouble(realClock).client();
    await (await openChannels(client, path)).close();
    assert.equal(statSync(path).mode & 0o777, 0o700);
    for (const mode of [0o750, 0o701, 0o755]) {
      chmodSync(path, mode);
      await assert.rejects(openChannels(client, path), {
        name: "ChannelStoreError",
        message: /has mode 0\d+, so others can read the keys in it: make it private \(chmod 700\)/,
      });
    }
    chmodSync(path, 0o700);
    await (await openChannels(client, path)).close();
  },
);

/** Runs in the page, so it cannot use anything else from this file. */
async function runInPage(name: string): Promise<string> {
  const { storeCases, namedStoreCases } = (globalThis as unknown as { katz: typeof suite }).katz;
  const run = { ...storeCases, ...namedStoreCases }[name]!;
  try {
    await run(
      () => `${name} 1`,
      () => `${name} 2`,
    );
    return "";
  } catch (error) {
    return error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error);
  }
}

test("channels over browser-level, in a browser", { timeout: 300_000 }, async (t) => {
  const executable = findChromium();
  if (executable === null) {
    t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
    return;
  }
  await using server = await PageServer.start("./dist/test/channels/store-suite.js");
  await using browser = await HeadlessBrowser.start(executable);
  const page = await browser.context.newPage();
  await page.goto(server.origin);
  await page.waitForFunction(() => "katz" in globalThis);
  for (const name of Object.keys({ ...storeCases, ...namedStoreCases })) {
    await t.test(name, async () => {
      assert.equal(await page.evaluate(runInPage, name), "");
    });
  }
  await t.test("another tab is refused, and this tab's messages survive a reload", async () => {
    const first = Object.keys(storeCases)[1]!;
    await page.reload();
    await page.waitForFunction(() => "katz" in globalThis);
    assert.equal(await page.evaluate(listOf, `${first} 1`), "out");
    const other = await browser.context.newPage();
    await other.goto(server.origin);
    await other.waitForFunction(() => "katz" in globalThis);
    assert.match(await other.evaluate(listOf, `${first} 1`), /in use by another tab/);
  });
});

/** Opens a store, lists it and leaves it open; returns the error text if that fails. */
async function listOf(name: string): Promise<string> {
  const { openForEver } = (globalThis as unknown as { katz: typeof suite }).katz;
  try {
    const channels = await openForEver(name);
    return (await channels.list()).map((info) => info.name).join();
  } catch (error) {
    return String(error);
  }
}
