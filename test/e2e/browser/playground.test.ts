/** The playground in a real browser: examples that can be changed, run and stopped. */
import assert from "node:assert/strict";
import { get } from "node:http";
import { test } from "node:test";
import { HeadlessBrowser, findChromium } from "./chromium.js";
import { openPlayground, runProgram, servePlayground } from "./playground-page.js";

test("the playground", { timeout: 540_000 }, async (t) => {
  await using served = await servePlayground("packed");
  const { origin } = served;

  await t.test("serves only its files, and only to this machine", async () => {
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

  await t.test(
    "runs an example by keyboard, and the console beside it shows its call",
    async () => {
      const page = await openPlayground(browser, served, "echo");
      const problems: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text());
      });
      const beside = page.frameLocator("#console");
      await beside.locator(".problem", { hasText: "No program has run yet" }).waitFor();
      const { output, failed } = await runProgram(page);
      assert.deepEqual(failed, []);
      assert.match(output, /^hello mixnet/);
      // The buttons that start and stop it hand the focus to each other.
      const focused = "document.activeElement.textContent.trim()";
      await page.getByRole("button", { name: "Run" }).press("Enter");
      assert.equal(await page.evaluate(focused), "Stop");
      await page.keyboard.press("Enter");
      assert.equal(await page.evaluate(focused), "Run");
      await runProgram(page);
      await beside.locator(".problem", { hasText: "network has ended" }).waitFor();
      await beside.locator(".node.gateway").first().waitFor();
      await beside.locator("button", { hasText: "Timeline" }).press("Enter");
      await beside.locator(".row.ok", { hasText: "message" }).waitFor();
      await beside.locator("button", { hasText: "Now" }).press("Enter");
      await beside.locator(".facts").waitFor();
      // The time slider replays past events.
      await beside.locator("button", { hasText: "Network" }).press("Enter");
      const slider = beside.locator("input[type=range]");
      await slider.press("Home");
      await beside.locator(".slider output", { hasText: " ago" }).waitFor();
      assert.match((await slider.getAttribute("aria-valuetext"))!, / ago$/);
      assert.deepEqual(problems, []);
      await page.close();
    },
  );

  await t.test("lets the console act on a network that the program leaves running", async () => {
    const page = await openPlayground(browser, served, "echo");
    await page.locator("#code").fill(`
      import { DevDaemon } from "katzenpost-thinclient/testing";
      const daemon = await DevDaemon.start({ mixing: "instant" });
      console.log("it runs");`);
    await runProgram(page);
    const beside = page.frameLocator("#console");
    await beside.locator("button", { hasText: "Send an echo" }).press("Enter");
    await beside.locator("button", { hasText: "Timeline" }).press("Enter");
    await beside.locator(".row.ok", { hasText: "message" }).waitFor();
    await beside.locator("button", { hasText: "Document" }).press("Enter");
    await beside.locator(".signatures .good").first().waitFor();
    await page.close();
  });

  await t.test("forbids the console beside it to load or run anything else", async () => {
    const page = await openPlayground(browser, served, "echo");
    const frame = page.frames().find((one) => one.url().endsWith("/console.html"))!;
    await frame.locator(".problem").waitFor();
    const refused = await frame.evaluate(`(() => {
      try { document.body.innerHTML = "<p>"; return false; } catch { return true; }
    })()`);
    assert.equal(refused, true, "text must not turn into markup");
    await assert.rejects(frame.evaluate(`fetch("/examples.json")`), /Failed to fetch/);
    await page.close();
  });

  await t.test("works the same as a static site, without modules from this server", async () => {
    await using site = await servePlayground("whole");
    const page = await openPlayground(browser, site, "boxes");
    const { output, failed } = await runProgram(page);
    assert.deepEqual(failed, []);
    assert.match(output, /nothing there yet/);
    await page.close();
  });

  await t.test("runs a modified program, and reports its errors", async () => {
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
