import assert from "node:assert/strict";
import { it } from "node:test";
import { MemoryLevel } from "memory-level";
import { generateKeypair, readCapOf } from "../../src/bacap/index.js";
import { openChannels } from "../../src/channels/index.js";
import { ThinClient } from "../../src/client/thin-client.js";
import { world } from "./world.js";

it("channels say which capability they want, and which they got", async () => {
  const { clock, open } = world();
  const channels = await open();
  const { writeCap } = generateKeypair();
  const readCap = readCapOf(writeCap);
  for (const [name, wrong] of [
    ["invitation", writeCap],
    ["invitation.readCap", { readCap: writeCap, nextMessageBoxIndex: readCap.subarray(32) }],
  ] as const) {
    await assert.rejects(channels.import("in", wrong as never), {
      name: "RangeError",
      message:
        `\`${name}\` must be a ReadCap of 136 bytes, got 168, the length of a WriteCap, which ` +
        "gives the right to write",
    });
  }
  await assert.rejects(channels.import("in", { readCap } as never), {
    name: "TypeError",
    message: "`invitation.nextMessageBoxIndex` must be a Uint8Array, got undefined",
  });
  await assert.rejects(channels.adopt("out", readCap as never), {
    name: "RangeError",
    message:
      "`writeCap` must be a WriteCap of 168 bytes, got 136, the length of a ReadCap, which does " +
      "not give the right to write",
  });
  assert.deepEqual(await channels.list(), []);
  await clock.runUntil(channels.close());
});

it("only a message that was sent can be deleted", async () => {
  const { clock, open } = world();
  const channels = await open();
  const writer = await channels.create("out");
  const { id } = await clock.runUntil(writer.send("first"));
  for (const [wrong, text] of [
    [id - 1n, /of a message of this channel/],
    [Number(id), /of a message of this channel/],
    [id + 1n, /of a message of this channel, got \d+, which was not sent/],
  ] as const) {
    const deleted = clock.runUntil(writer.delete(wrong as bigint));
    await assert.rejects(deleted, { name: "RangeError", message: text });
  }
  assert.equal(writer.queued, 1);
  await clock.runUntil((await writer.delete(id)).stored);
  await clock.runUntil(channels.close());
});

it("a client that was never connected cannot open a new store, and the error says what to do", async () => {
  const client = new ThinClient({ dial: "unix:/nonexistent" });
  await assert.rejects(openChannels(client, new MemoryLevel() as never), {
    name: "InvalidStateError",
    message:
      "the client was never connected, and a new store needs the network's box length: await " +
      "client.start() before openChannels(), or use ThinClient.connect()",
  });
});
