/**
 * A full disk at different writes. The file system has a few megabytes, and only root can
 * mount it. Each round leaves a different amount of room, so that a different write of the store
 * fails first.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { utf8ToText } from "../../src/bytes/bytes.js";
import { ChannelStoreError, openChannels } from "../../src/channels/index.js";
import { realClock } from "../../src/clock/real.js";
import { BoxesDouble } from "./boxes-double.js";

const MB = 1024 * 1024;

/** Fills a file system until only `left` bytes are free. */
function fill(folder: string, left: number): void {
  const path = join(folder, "filler");
  writeFileSync(path, "");
  const { bavail, bsize } = statfsSync(folder);
  const bytes = Math.max(0, bavail * bsize - left);
  appendFileSync(path, new Uint8Array(bytes));
}

/** Fills the disk `rounds` times; fails if anything is lost that `send` did not refuse. */
export async function runFullDisk(t: TestContext, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "katz-full-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=6m,mode=700", "katz", folder]);
  if (mounted.status !== 0) {
    rmSync(folder, { recursive: true });
    t.skip("not run: only root can mount a small file system");
    return;
  }
  try {
    let refused = 0;
    for (let round = 0; round < rounds; round++) {
      const place = join(folder, String(round));
      mkdirSync(place, { mode: 0o700 });
      const boxes = new BoxesDouble(realClock);
      boxes.fate = () => ({ delayMs: 1, lost: null });
      const channels = await openChannels(boxes.client(), join(place, "store"));
      const writer = await channels.create("out");
      const { readCap } = await writer.invitation();
      const sent: string[] = [];
      const failed = new Set<string>();
      const send = async (text: string): Promise<boolean> => {
        try {
          await writer.send(text);
          sent.push(text);
          return true;
        } catch (error) {
          assert.ok(error instanceof ChannelStoreError, String(error));
          failed.add(text);
          return false;
        }
      };
      for (let n = 0; n < 5; n++) await send(`${n}:before`);
      fill(folder, 4096 * (1 + ((round * 5) % 12)) + round);
      let n = 5;
      const long = "x".repeat(2000);
      while (failed.size === 0 && n < 200) await send(`${n++}:${long}`);
      assert.ok(failed.size > 0, "the disk is full");
      refused += failed.size;
      rmSync(join(folder, "filler"));
      let isBack = false;
      for (let tries = 0; !isBack && tries < 3; tries++) isBack = await send(`${n++}:after`);
      await channels.close().catch(() => {});
      const again = await openChannels(boxes.client(), join(place, "store"));
      const late = await again.writer("out");
      if (!isBack) {
        await late.send(`${n}:after`);
        sent.push(`${n}:after`);
      }
      const reader = await again.import("in", readCap);
      const seen: string[] = [];
      for await (const { bytes, gap } of reader) {
        assert.equal(gap, 0);
        seen.push(utf8ToText(bytes));
        if (seen.at(-1)!.endsWith("after") && seen.length >= sent.length) break;
      }
      // Apart from the messages that were sent, the reader may only see messages whose `send`
      // failed.
      assert.deepEqual(
        seen.filter((text) => !failed.has(text)),
        sent,
      );
      assert.equal(new Set(seen).size, seen.length);
      await again.close();
      rmSync(place, { recursive: true, maxRetries: 5 });
    }
    t.diagnostic(`${rounds} rounds, ${refused} messages refused, ${6 * MB} bytes of disk`);
  } finally {
    spawnSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true, force: true });
  }
}
