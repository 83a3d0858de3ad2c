/** Every example of the playground in a real browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadlessBrowser, findChromium } from "./chromium.js";
import { openPlayground, runProgram, servePlayground } from "./playground-page.js";

test("every example of the playground runs in a page", { timeout: 900_000 }, async (t) => {
  const executable = findChromium();
  if (executable === null) {
    t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
    return;
  }
  await using served = await servePlayground("whole");
  await using browser = await HeadlessBrowser.start(executable);
  for (const example of served.examples) {
    await t.test(example, async () => {
      const page = await openPlayground(browser, served, example);
      const { failed } = await runProgram(page);
      assert.deepEqual(failed, []);
      await page.close();
    });
  }
});
