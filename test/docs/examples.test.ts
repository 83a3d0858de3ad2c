/** Every example runs, in a process of its own, against a network that it embeds. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { HeadlessBrowser, findChromium } from "../browser/chromium.js";
import { servePage } from "../../examples/browser/serve.js";

const folder = fileURLToPath(new URL("../../examples/", import.meta.url));
/** A module and its tests, which `docs.test.ts` runs. */
const elsewhere = new Set(["chat-bot.js", "chat-bot.test.js"]);
const examples = readdirSync(folder).filter((name) => name.endsWith(".js") && !elsewhere.has(name));
/** An example that hangs is killed, and says so. */
const LONGEST_MS = 90_000;

function run(name: string): Promise<{ ended: number | string; output: string }> {
  const child = spawn(process.execPath, ["--enable-source-maps", folder + name], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LONGEST_MS,
    killSignal: "SIGKILL",
  });
  let output = "";
  child.stdout.on("data", (text) => (output += text));
  child.stderr.on("data", (text) => (output += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ ended: signal ?? code ?? "", output }));
  });
}

describe("the examples", { concurrency: 3, timeout: 300_000 }, () => {
  test("are all there", () => assert.ok(examples.length >= 18, examples.join(" ")));

  for (const name of examples) {
    test(`${name} does what its page says`, async () => {
      const { ended, output } = await run(name);
      assert.equal(ended, 0, output);
    });
  }

  test("the page in a browser echoes what its form says", async (t) => {
    const executable = findChromium();
    if (executable === null) {
      t.skip("not run: no Chromium on this machine (KATZ_CHROMIUM names one)");
      return;
    }
    await using served = await servePage();
    await using browser = await HeadlessBrowser.start(executable);
    const page = await browser.context.newPage();
    await page.goto(served.url);
    const log = page.locator("#log");
    await log.getByText("connected").waitFor();
    await page.getByRole("button").click();
    await log.getByText("hello from a page").waitFor();
  });
});
