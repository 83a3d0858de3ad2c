import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ChannelStoreError, openChannels } from "../../src/channels/index.js";
import { startTestNetwork } from "../../src/testing/index.js";
import { Child, runKills } from "./kill-run.js";

test("writer, reader and network survive kill -9", { timeout: 240_000 }, async (t) => {
  const messages = await runKills(3, Math.random, true);
  t.diagnostic(`${messages} messages compared`);
});

test(
  "a store refuses a second process, and a killed process leaves no lock",
  { timeout: 300_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "katz-lock-"));
    let child: Child | null = null;
    try {
      await using network = await startTestNetwork({ listen: "tcp:127.0.0.1:0" });
      const address = network.daemon.addresses[0]!.replace(/^tcp:/, "");
      child = new Child("writer", address, folder, 1e9);
      await child.begun();
      const client = await network.client();
      const store = join(folder, "writer");
      await assert.rejects(openChannels(client, store), (error) => {
        assert.ok(error instanceof ChannelStoreError);
        assert.match(error.message, /another process|in use/);
        return true;
      });
      await child.killAfter(0);
      const channels = await openChannels(client, store);
      assert.equal((await channels.list())[0]!.name, "out");
      await channels.close();
    } finally {
      child?.process.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
