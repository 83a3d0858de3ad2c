/** Every example runs, in a separate process, against a network that it embeds. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { writeClientConfigFile } from "../../src/cli/commands/daemon/write-config.js";
import { DevDaemon } from "../../src/testing/index.js";
import { HeadlessBrowser, findChromium } from "../e2e/browser/chromium.js";
import { servePage } from "../../examples/browser/serve.js";

const folder = fileURLToPath(new URL("../../examples/", import.meta.url));
const root = fileURLToPath(new URL("../../../", import.meta.url));
const examples = readdirSync(folder).filter((name) => /^[^.]+\.js$/.test(name));
/** The last line of each example, which shows the reader what happened. */
const lastLines: Record<string, RegExp> = {
  "boxes.js": /^nothing there yet$/,
  "cancel.js": /^nothing is left at the daemon$/,
  "capabilities.js": /^true$/,
  "channels.js": /^everybody heard everybody$/,
  "chat-bot.js": /^the bot answered 2 lines$/,
  "chat-of-three.js": /^three screens show one conversation$/,
  "conformance.js": /^\d+ pass, 0 fail, /,
  "connect.js": /^a box holds \d+ bytes$/,
  "copy-builders.js": /^3 calls made one copy stream$/,
  "copy-tombstones.js": /^two drafts are deleted, the final text is there$/,
  "copy.js": /^\w+: \d+ of \d+ boxes$/,
  "echo.js": /^hello mixnet$/,
  "errors.js": /^every error was told from the others/,
  "exchange.js": /^Bob heard: hello Bob; nobody sees that we talk; bye$/,
  "file-drop.js": /^50,000 bytes were dropped and picked up/,
  "file-resume.js": /^150,000 bytes arrived, though everything was killed$/,
  // No test knows which network there is to join; tests of `JoinedDaemon` cover that.
  "join.js": /^usage: node join\.mjs CLIENT\.TOML$/,
  "messages.js": /^(one|two|three) -> \1$/,
  "observing.js": /^measured: blockingSendMessage: ok, .*; \d+ log lines$/,
  "production.js": /^closed: /,
  "reconnecting.js": /^for later$/,
  "resume.js": /^40 lines came once each/,
  "save-cursors.js": /^three crashes: no box was lost or overwritten, one message was read twice$/,
  "scripted-daemon.js": /^the client asked, did not believe the answer, and stopped$/,
  "send-later.js": /^3 texts were sealed offline and sent later$/,
  "tombstones.js": /^three boxes are deleted, the one after them is not$/,
  "verify.js": /^epoch \d+: 3 of 3 authorities signed$/,
  "vouchers.js": /^welcome; we are Ben, Cleo and Dan$/,
  "waiting.js": /^the user has left$/,
};
/** Pages that show the complete output of an example. */
const transcripts: Record<string, string> = { "chat-of-three.js": "docs/guide/channels.md" };
/** An example that hangs is killed and reported. */
const LONGEST_MS = 240_000;

function run(name: string, ...args: string[]): Promise<{ ended: number | string; output: string }> {
  const child = spawn(process.execPath, ["--enable-source-maps", folder + name, ...args], {
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

describe("the examples", { concurrency: 3, timeout: 540_000 }, () => {
  test("are all listed with their last line", () => {
    assert.deepEqual(examples.sort(), Object.keys(lastLines));
  });

  for (const name of examples) {
    test(`${name} does what its page says`, async () => {
      const { ended, output } = await run(name);
      assert.equal(ended, 0, output);
      assert.match(output.trimEnd().split("\n").at(-1)!, lastLines[name]!);
      assert.doesNotMatch(output, /^ +at /m, "a stack trace is not a success");
      const page = transcripts[name];
      if (page !== undefined) assert.ok(readFileSync(root + page, "utf8").includes(output), output);
    });
  }

  test("verify.js takes its keys from a client.toml", async (t) => {
    const home = await mkdtemp(join(tmpdir(), "katz-verify-"));
    t.after(() => rm(home, { recursive: true }));
    await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
    const path = join(home, "client.toml");
    const { authorities, geometry } = daemon.network;
    await writeClientConfigFile(path, {
      geometry: geometry.toWire(),
      // This address is never dialled; its keys are of the right kind.
      gateway: { ...authorities[0]!, name: "gateway", addresses: ["tcp://127.0.0.1:1"] },
      authorities,
      listen: "127.0.0.1:64331",
      epochMs: 1_200_000,
    });
    const { ended, output } = await run("verify.js", path, String(daemon.config().dial));
    assert.equal(ended, 0, output);
    assert.match(output.trim(), lastLines["verify.js"]!);
  });

  test("the page in a browser shows the echo of its form", async (t) => {
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
    const second = await browser.context.newPage();
    await second.goto(served.url);
    await second.locator("#log").getByText("connected").waitFor();
    assert.equal(served.connections(), 1, "tabs share it");
  });
});
