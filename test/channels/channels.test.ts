import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { MemoryLevel } from "memory-level";
import { randomBytes, utf8ToText } from "../../src/bytes/bytes.js";
import {
  type ChannelDatabase,
  type Channels,
  type KatzenqtMessage,
  decodeKatzenqtMessage,
  encodeKatzenqtMessage,
  openChannels,
} from "../../src/channels/index.js";
import { startTestNetwork } from "../../src/testing/index.js";

const memory = (): ChannelDatabase => new MemoryLevel<string, Uint8Array>() as never;
const folder = mkdtempSync(join(tmpdir(), "katz-channels-"));
after(() => rmSync(folder, { recursive: true }));

describe("channels", () => {
  it("deliver short and long messages in order", { timeout: 240_000 }, async () => {
    await using network = await startTestNetwork();
    const alice = await network.client();
    const bob = await network.client();
    await using ours = await openChannels(alice, join(folder, "alice"));
    await using theirs = await openChannels(bob, memory());
    const writer = await ours.create("to Bob");
    const reader = await theirs.import("from Alice", await writer.invitation());
    const sent: string[] = [];
    for (let i = 0; i < 30; i++) sent.push(`${i} `.repeat(i % 7 === 3 ? 2000 : 1));
    const deliveries = await Promise.all(sent.map((text) => writer.send(text)));
    const seen: string[] = [];
    for await (const message of reader) {
      assert.equal(message.id, deliveries[seen.length]!.id);
      assert.equal(message.gap, 0);
      seen.push(utf8ToText(message.bytes));
      if (seen.length === sent.length) break;
    }
    assert.deepEqual(seen, sent);
    await Promise.all(deliveries.map(({ stored }) => stored));
    assert.ok(deliveries.every(({ state }) => state === "stored"));
    assert.equal(writer.queued, 0);
  });

  it("survive changes of the epoch and restarts of the daemon", { timeout: 240_000 }, async () => {
    await using network = await startTestNetwork();
    const { daemon } = network;
    await using ours = await openChannels(await network.client(), memory());
    await using theirs = await openChannels(await network.client(), memory());
    const writer = await ours.create("out");
    const reader = await theirs.import("in", await writer.invitation());
    const rounds = 4;
    const sent: string[] = [];
    const seen: string[] = [];
    const hearing = (async () => {
      for await (const { bytes, gap } of reader) {
        assert.equal(gap, 0);
        if (seen.push(utf8ToText(bytes)) === rounds * 10) break;
      }
    })();
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < 10; i++) {
        const text = `${round}.${i}`;
        sent.push(text);
        await writer.send(text);
      }
      // Some of the messages are on their way at that time.
      if (round % 2 === 0) await daemon.network.advanceEpoch();
      else await daemon.restart();
    }
    await hearing;
    assert.deepEqual(seen, sent);
  });

  it("make a batch readable in all of its channels", { timeout: 240_000 }, async () => {
    await using network = await startTestNetwork();
    const client = await network.client();
    await using channels = await openChannels(client, memory());
    const [one, two] = [await channels.create("one"), await channels.create("two")];
    const readers = [
      await channels.import("read one", await one.invitation()),
      await channels.import("read two", await two.invitation()),
    ];
    await one.send("before");
    const delivery = await channels.atomically((batch) => {
      batch.send(one, "A".repeat(4000));
      batch.send(two, "b");
    });
    await one.send("after");
    await delivery.stored;
    const texts: string[][] = [[], []];
    for (const [i, reader] of readers.entries()) {
      for await (const { bytes } of reader) {
        texts[i]!.push(utf8ToText(bytes));
        if (texts[i]!.length === (i === 0 ? 3 : 1)) break;
      }
    }
    assert.deepEqual(texts, [["before", "A".repeat(4000), "after"], ["b"]]);
  });

  it("carry katzenqt's texts and files in both directions", { timeout: 240_000 }, async () => {
    await using network = await startTestNetwork();
    await using ours = await openChannels(await network.client(), memory());
    await using theirs = await openChannels(await network.client(), memory());
    const payload = randomBytes(20_000);
    const file = { payload, filetype: "application/octet-stream", basename: "noise.bin" };
    const exchange = async (from: Channels, to: Channels): Promise<KatzenqtMessage[]> => {
      const writer = await from.create("out", { format: "katzenqt" });
      const reader = await to.import("in", await writer.invitation());
      await writer.send(encodeKatzenqtMessage({ type: "text", text: "here it comes" }));
      await writer.send(encodeKatzenqtMessage({ type: "file", file }));
      const seen: KatzenqtMessage[] = [];
      for await (const { bytes } of reader) {
        if (seen.push(decodeKatzenqtMessage(bytes)) === 2) break;
      }
      return seen;
    };
    const wanted = [
      { type: "text", text: "here it comes" },
      { type: "file", file },
    ];
    const seen = await Promise.all([exchange(ours, theirs), exchange(theirs, ours)]);
    assert.deepEqual(seen, [wanted, wanted]);
  });
});
