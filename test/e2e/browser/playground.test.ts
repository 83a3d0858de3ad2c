/** The playground in a real browser: examples that can be changed, run and stopped. */
import assert from "node:assert/strict";
import { get } from "node:http";
import { test } from "node:test";
import { HeadlessBrowser, findChromium } from "./chromium.js";
import { openPlayground, runProgram, servePlayground } from "./playground-page.js";

test("the playground", { timeout: 240_000 }, async (t) => {
  await using served = await servePlayground("packed");
  const { origin } = served;

  await t.test("is served to this machine only, and nothing but its files", async () => {
    const status = (path: string, host?: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = host === undefined ? {} : { host };
        get(`${origin}${path}`, { headers }, (response) => {
          response.resume();
          resolve(response.statusCode!);
        }).on("error", reject);
      });
    assert.deepEqual(
      [await status("/"), await status("/page.js"), await status("/examples.json?x")],
      [200, 200, 200],
    );
    assert.equal(await status("/", "rebound.example"), 403);
    for (const path of [
      "/../package.json",
      "/%2e%2e/package.json",
      "/nothing",
      "/constructor",
      "/modules/0/../package.js",
      "/modules/0/package.json",
      "/modules/99/index.js",
      "/bare/node:fs",
    ]) {
      assert.equal(await status(path), 404, path);
    }
  });

  await t.test("offers the guide's examples", () => {
    for (const name of ["echo", "boxes", "copy", "tombstones", "vouchers", "waiting"]) {
      assert.ok(served.examples.includes(name), name);
    }
  });

  const executable = findChromium();
  if (executable === null) {
    t.diagnostic("the page was not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
    return;
  }
  await using browser = await HeadlessBrowser.start(executable);

  await t.test("runs an example by keyboard, and shows what the network does", async () => {
    const page = await openPlayground(browser, served, "echo");
    const { output, failed } = await runProgram(page);
    assert.deepEqual(failed, []);
    assert.match(output, /^hello mixnet/);
    assert.match(await page.locator("#facts").innerText(), /Packets sent\s+\d+/);
    await page.close();
  });

  await t.test("runs the same as a static site, without this server's modules", async () => {
    await using site = await servePlayground("whole");
    const page = await openPlayground(browser, site, "boxes");
    const { output, failed } = await runProgram(page);
    assert.deepEqual(failed, []);
    assert.match(output, /nothing there yet/);
    await page.close();
  });

  await t.test("runs a program that was changed, and says what failed in it", async () => {
    const page = await openPlayground(browser, served, "boxes");
    await page.locator("#code").fill(`
      import { ThinClient } from "katzenpost-thinclient";
      import { EmbeddedDaemon } from "katzenpost-thinclient/network";
      const embedded = await EmbeddedDaemon.start({ replicas: 3 });
      await using client = await ThinClient.connect(embedded.config());
      console.log(embedded.storage.replicas.length, "replicas");
      client.getService("no such service");`);
    const { output, failed } = await runProgram(page);
    assert.match(output, /^3 replicas/);
    assert.match(failed.join(), /ServiceNotFoundError/);
    await page.locator("#code").fill(`import { readFile } from "node:fs/promises";`);
    assert.match((await runProgram(page)).failed.join(), /a page has no module node:fs\/promises/);
    await page.close();
  });

  await t.test("stops a program that does not end", async () => {
    const page = await openPlayground(browser, served, "echo");
    await page.locator("#code").fill(`console.log("on and on"); for (;;);`);
    await page.locator("#run").click();
    await page.locator("#output", { hasText: "on and on" }).waitFor();
    await page.locator("#stop").click();
    assert.match(await page.locator("#output").innerText(), /\(stopped\)/);
    assert.equal(await page.locator("#run").isEnabled(), true);
    await page.close();
  });
});
