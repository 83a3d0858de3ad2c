import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ChannelDiagnostic,
  type Message,
  type Reader,
  openChannels,
} from "../../src/channels/index.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { BoxesDouble, type Fate } from "./boxes-double.js";
import { CrashDatabase, Disk } from "./crash-database.js";

const DAY = 24 * 3600 * 1000;

/** The messages of a reader, whose clock moves while the next one is awaited. */
async function* onClock(clock: VirtualClock, reader: Reader): AsyncGenerator<Message, void> {
  const messages = reader.messages();
  for (;;) {
    const { value, done } = await clock.runUntil(messages.next(), DAY);
    if (done) return;
    yield value;
  }
}

describe("the reports of channels", () => {
  it("diagnostics report each write, question, gap and fork, and the statistics count them", async () => {
    const clock = new VirtualClock();
    const boxes = new BoxesDouble(clock);
    const events: ChannelDiagnostic[] = [];
    const diagnostics = (event: ChannelDiagnostic): void => {
      events.push(event);
      throw new Error("an error of a hook has no effect");
    };
    const of = <T extends ChannelDiagnostic["type"]>(type: T) =>
      events.filter((event): event is Extract<ChannelDiagnostic, { type: T }> => {
        return event.type === type;
      });
    const disk = new Disk();
    const channels = await openChannels(boxes.client(), new CrashDatabase(disk), {
      clock,
      diagnostics,
    });
    const [one, two] = [await channels.create("one"), await channels.create("two")];
    const batch = await channels.atomically(({ send }) => {
      send(one, "a box");
      send(two, "more than one box ".repeat(5));
    });
    await clock.runUntil(batch.stored);
    assert.deepEqual(
      of("boxWritten").map(({ channel }) => channel),
      ["one", "two", "two"],
    );
    assert.equal(of("boxWritten")[0]!.id, batch.id);
    assert.equal(channels.statistics().boxesWritten, 3);
    events.length = 0;

    const writer = await channels.create("out");
    const backup = disk.copy();
    const reader = await channels.import("in", await writer.invitation());
    const lost: Fate["lost"][] = ["reply"];
    boxes.fate = () => ({ delayMs: 20, lost: lost.shift() ?? null });
    const delivery = await writer.send("sent twice, stored once");
    assert.equal(channels.statistics().queued, 1);
    await clock.runUntil(delivery.stored);
    assert.equal(of("writeFailed").length, 1);
    assert.ok(of("writeFailed")[0]!.pauseMs > 0);
    assert.deepEqual(
      of("boxWritten").map(({ channel, id }) => [channel, id]),
      [["out", delivery.id]],
    );

    const restored = await openChannels(boxes.client(), new CrashDatabase(backup), {
      clock,
      diagnostics,
    });
    const late = await (await restored.writer("out")).send("other bytes");
    await assert.rejects(clock.runUntil(late.stored));
    assert.deepEqual(
      of("forked").map(({ channel, id }) => [channel, id]),
      [["out", late.id]],
    );
    await clock.runUntil(restored.close());

    // The first message expires before it is read.
    boxes.lifetimeMs = 10 * DAY;
    await clock.advance(11 * DAY);
    await clock.runUntil((await writer.send("read in time")).stored);
    for await (const { gap } of onClock(clock, reader)) {
      assert.equal(gap, 1);
      break;
    }
    const { boxesWritten, writesFailed, boxesAsked, boxesFound, boxesLost, queued } =
      channels.statistics();
    assert.deepEqual([boxesWritten, writesFailed, boxesLost, queued], [5, 1, 1, 0]);
    assert.deepEqual(
      of("gap").map(({ channel, boxes: count }) => [channel, count]),
      [["in", 1]],
    );
    const polled = of("polled");
    assert.equal(boxesAsked, polled.length);
    assert.deepEqual([boxesFound, polled.filter(({ found }) => found).length], [1, 1]);
    await clock.runUntil(channels.close());

    // Names, numbers and errors only: nothing that could be a message or a capability.
    for (const event of events) {
      for (const value of Object.values(event)) {
        assert.ok(!ArrayBuffer.isView(value), event.type);
      }
    }
  });
});
