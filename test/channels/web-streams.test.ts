import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { generateKeypair, nextMessageBoxIndex } from "../../src/bacap/index.js";
import { utf8, utf8ToText } from "../../src/bytes/bytes.js";
import { ChannelForkedError, ChannelStoreError } from "../../src/channels/index.js";
import { sideStreamBox } from "../../src/channels/framing.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { Disk } from "./crash-database.js";
import { world } from "./world.js";

/** Whether a promise is settled once all that is ready has run. */
async function isSettled(clock: VirtualClock, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const mark = (): void => void (settled = true);
  promise.then(mark, mark);
  await clock.advance(1);
  return settled;
}

const cut = { delayMs: 20, lost: "request" } as const;
const whole = { delayMs: 20, lost: null } as const;

describe("the streams of a channel", () => {
  it("carry one message per chunk, from end to end", async () => {
    const { clock, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    const sent = ["first", "", "long ".repeat(50), "last"];
    const source = new ReadableStream<string>({
      start(controller) {
        for (const text of sent) controller.enqueue(text);
        controller.close();
      },
    });
    await clock.runUntil(source.pipeTo(writer.writable()));
    // Closing waited for the replicas.
    assert.equal(writer.queued, 0);
    const seen: string[] = [];
    const from = reader.readable().getReader();
    while (seen.length < sent.length) {
      const { value } = await clock.runUntil(from.read());
      seen.push(utf8ToText(value!));
    }
    assert.deepEqual(seen, sent);
    await from.cancel();
    await clock.runUntil(channels.close());
  });

  it("a readable leaves out messages without content", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const invitation = await writer.invitation();
    const reader = await channels.import("in", invitation);
    const side = generateKeypair();
    boxes.put(side.writeCap, side.firstMessageIndex, utf8("not a message"));
    let index = invitation.nextMessageBoxIndex;
    const put = (bytes: Uint8Array): void => {
      boxes.put(writer.writeCap(), index, bytes);
      index = nextMessageBoxIndex(index);
    };
    put(new Uint8Array(0)); // deleted
    put(sideStreamBox(side.readCap));
    put(utf8("M\0a message"));
    put(utf8("strange"));
    const from = reader.readable().getReader();
    for (const expected of ["a message", "strange"]) {
      const { value } = await clock.runUntil(from.read());
      assert.equal(utf8ToText(value!), expected);
    }
    await from.cancel();
    await clock.runUntil(channels.close());
  });

  it("a writable accepts messages only while fewer than `maxQueued` wait in the outbox", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    boxes.fate = () => cut;
    await clock.runUntil(writer.send("sent before"));
    const stream = writer.writable({ maxQueued: 3 }).getWriter();
    await clock.runUntil(Promise.all([stream.write("one"), stream.write("two")]));
    const third = stream.write("three");
    assert.equal(await isSettled(clock, third), false);
    assert.equal(writer.queued, 3);
    boxes.fate = () => whole;
    await clock.runUntil(third);
    await clock.runUntil(stream.close());
    assert.equal(writer.queued, 0);
    await clock.runUntil(channels.close());
  });

  it("aborting a waiting writable ends it, and keeps the messages that it accepted", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    boxes.fate = () => cut;
    const stream = writer.writable({ maxQueued: 1 }).getWriter();
    await clock.runUntil(stream.write("kept"));
    const waiting = stream.write("not taken");
    waiting.catch(() => {});
    assert.equal(await isSettled(clock, waiting), false);
    const reason = new Error("enough");
    assert.equal(await isSettled(clock, stream.abort(reason)), true);
    await assert.rejects(waiting, reason);
    stream.closed.catch(() => {});
    assert.equal(writer.queued, 1);
    await clock.runUntil(channels.close());
  });

  it("a writable ends at a fork of its channel, and when the channels are closed", async () => {
    const { clock, open } = world();
    const disk = new Disk();
    const first = await open(disk);
    await first.create("out");
    await clock.runUntil(first.close());
    const backup = disk.copy();
    const second = await open(disk);
    await clock.runUntil((await (await second.writer("out")).send("ours")).stored);
    const restored = await open(backup);
    const forked = (await restored.writer("out")).writable({ maxQueued: 1 }).getWriter();
    forked.closed.catch(() => {});
    await clock.runUntil(forked.write("another"));
    await assert.rejects(clock.runUntil(forked.write("and another")), ChannelForkedError);
    await clock.runUntil(restored.close());

    const closed = (await second.writer("out")).writable({ maxQueued: 1 }).getWriter();
    closed.closed.catch(() => {});
    await clock.runUntil(closed.write("stays in the outbox"));
    const waiting = closed.write("not taken");
    waiting.catch(() => {});
    await second.close();
    await assert.rejects(clock.runUntil(waiting), ChannelStoreError);
  });

  it("a readable requests a message only on demand, and taking one acknowledges the one before", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const reader = await channels.import("in", await writer.invitation());
    for (const text of ["one", "two", "three"]) await clock.runUntil(writer.send(text));
    const stream = reader.readable();
    await clock.advance(60_000);
    assert.equal(boxes.reads, 0, "nothing is read before it is requested");
    const from = stream.getReader();
    const first = await clock.runUntil(from.read());
    assert.equal(utf8ToText(first.value!), "one");
    await clock.advance(60_000);
    assert.equal(reader.acknowledged, null);
    const second = await clock.runUntil(from.read());
    assert.equal(utf8ToText(second.value!), "two");
    await clock.advance(1000);
    assert.notEqual(reader.acknowledged, null);
    await from.cancel();
    // What was taken last was not acknowledged, so it comes again.
    const again = reader.readable().getReader();
    assert.equal(utf8ToText((await clock.runUntil(again.read())).value!), "two");
    await again.cancel();
    const { reads } = boxes;
    await clock.advance(3_600_000);
    assert.equal(boxes.reads, reads, "nothing is read after it was cancelled");
    await clock.runUntil(channels.close());
  });

  it("a wrong `maxQueued` is refused by name", async () => {
    const { clock, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    for (const maxQueued of [0, -1, 1.5, NaN, "8"]) {
      assert.throws(() => writer.writable({ maxQueued: maxQueued as number }), {
        name: "RangeError",
        message: /`options.maxQueued` must be a positive integer, got /,
      });
    }
    await clock.runUntil(channels.close());
  });
});
