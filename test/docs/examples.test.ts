/** Every example runs, in a process of its own, against a network that it embeds. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { HeadlessBrowser, findChromium } from "../e2e/browser/chromium.js";
import { servePage } from "../../examples/browser/serve.js";

const folder = fileURLToPath(new URL("../../examples/", import.meta.url));
const examples = readdirSync(folder).filter((name) => /^[^.]+\.js$/.test(name));
/** What each says when it is done: who runs one sees what it has shown. */
const lastLines: Record<string, RegExp> = {
  "boxes.js": /^nothing there yet$/,
  "capabilities.js": /^true$/,
  "channels.js": /^everybody heard everybody$/,
  "chat-bot.js": /^the bot answered 2 lines$/,
  "conformance.js": /^\d+ pass, 0 fail, /,
  "connect.js": /^a box holds \d+ bytes$/,
  "copy.js": /^\w+: \d+ of \d+ boxes$/,
  "echo.js": /^hello mixnet$/,
  "errors.js": /^every error was told from the others/,
  "exchange.js": /^Bob heard: hello Bob; nobody sees that we talk; bye$/,
  "file-drop.js": /^50,000 bytes were dropped and picked up/,
  // Which network there is to join no test can know: tests of `JoinedDaemon` do that.
  "join.js": /^usage: node join\.mjs CLIENT\.TOML$/,
  "messages.js": /^(one|two|three) -> \1$/,
  "observing.js": /^measured: blockingSendMessage: ok, .*; \d+ log lines$/,
  "production.js": /^closed: /,
  "reconnecting.js": /^for later$/,
  "resume.js": /^40 lines came once each/,
  "scripted-daemon.js": /^the client asked, did not believe the answer, and stopped$/,
  "tombstones.js": /^three boxes are deleted, the one after them is not$/,
  "vouchers.js": /^welcome; we are Ben, Cleo and Dan$/,
  "waiting.js": /^the user has left$/,
};
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
  test("are all there, and each has a last line", () => {
    assert.deepEqual(examples.sort(), Object.keys(lastLines));
  });

  for (const name of examples) {
    test(`${name} does what its page says`, async () => {
      const { ended, output } = await run(name);
      assert.equal(ended, 0, output);
      assert.match(output.trimEnd().split("\n").at(-1)!, lastLines[name]!);
      assert.doesNotMatch(output, /^ +at /m, "a stack trace is no success");
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
