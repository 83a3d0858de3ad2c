/** The console's page for ten minutes in a real browser: its heap must not grow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { KatzProcess } from "../katz-process.js";
import { HeadlessBrowser, findChromium } from "./chromium.js";

const MINUTES = 10;
/** Minutes until everything that the page keeps has reached its limit. */
const SETTLED = 3;
/**
 * How much the heap may grow until the end, in bytes: far less than a leak would add in ten
 * minutes.
 */
const ALLOWED_BYTES = 2_000_000;

test("the heap of the console's page does not grow", { timeout: 900_000 }, async (t) => {
  const executable = findChromium();
  if (executable === null) {
    t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
    return;
  }
  await using katz = new KatzProcess(["console", "--json", "--listen", "tcp:127.0.0.1:0"]);
  const { url } = JSON.parse(await katz.firstLine()) as { url: string };
  await using browser = await HeadlessBrowser.start(executable);
  const page = await browser.context.newPage();
  const session = await browser.context.newCDPSession(page);
  await page.goto(url);
  await page.locator(".facts").waitFor();
  // From the start, the page keeps its maximum number of packets for the time slider.
  await page.evaluate(`(() => {
    const hop = (node) => ({ node, delayMs: 100 });
    const forward = ["gateway1", "mix1", "mix3", "mix5", "servicenode1"].map(hop);
    for (let i = 0; i < 2500; i++) {
      globalThis.katzConsole.traffic.add({ source: "link", event: "sent", seq: -1, at: Date.now(),
        packet: "test" + i, decoy: true, forward, reply: forward, replyEtaMs: 1000 });
    }
  })()`);
  const heap: number[] = [];
  for (let minute = 0; minute < MINUTES; minute++) {
    for (let i = 0; i < 6; i++) {
      // Visits all pages in turn, with calls in between.
      await page.keyboard.press(String(1 + i));
      if (i === 2) await page.locator("button", { hasText: "Send an echo" }).click();
      if (i === 3) await page.locator("button", { hasText: "Write a box" }).click();
      await page.waitForTimeout(10_000);
    }
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    heap.push(usedSize);
    t.diagnostic(`minute ${minute + 1}: ${(usedSize / 1e6).toFixed(2)} MB`);
  }
  const settled = Math.max(...heap.slice(0, SETTLED));
  assert.ok(heap.at(-1)! < settled + ALLOWED_BYTES, `${heap.join(", ")} bytes`);
});
