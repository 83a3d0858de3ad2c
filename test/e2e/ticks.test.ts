/**
 * How many ticks of the send schedule carry work while there is any, at the usual network's rates:
 * one packet per second, with mixing. The clock is virtual; a real daemon's time for sealing is not
 * included.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ThinClient } from "../../src/client/thin-client.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { shareOfTicks } from "./share-of-ticks.js";
import { TwoClients, newStream, somePayload } from "./two-clients.js";

/** How many run at the same time: as many as a daemon reads, and as `katz send` starts. */
const UNDER_WAY = 16;

/** Calls `each` for all numbers below `count`, several at a time. */
async function severalAtOnce(count: number, each: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, one));
}

describe("at least 90 % of the ticks carry work", { timeout: 300_000 }, () => {
  const BOXES = 60;

  async function started(seed: string): Promise<{
    readonly clock: VirtualClock;
    readonly both: TwoClients;
    readonly alice: ThinClient;
    readonly bob: ThinClient;
  }> {
    const clock = new VirtualClock();
    const both = await TwoClients.start({
      clock,
      seed,
      mixing: "realistic",
      // Its ticks always carry decoys, even if there is work.
      lambdaL: 0,
    });
    return { clock, both, alice: both.alice, bob: both.bob };
  }

  test("while boxes are written and read ahead", async (t) => {
    const { clock, both, alice, bob } = await started("ticks");
    await using _ = both;
    const { writeCap, readCap, firstMessageIndex } = await clock.runUntil(newStream(alice));
    const indices = [firstMessageIndex];
    while (indices.length < BOXES) {
      indices.push(await clock.runUntil(alice.nextMessageBoxIndex(indices.at(-1)!)));
    }
    const writing = await shareOfTicks(both.daemon, clock, () =>
      severalAtOnce(BOXES, (i) => alice.write(writeCap, indices[i]!, `box ${i}`)),
    );
    t.diagnostic(`writing: ${JSON.stringify(writing)}`);
    assert.ok(writing.share >= 0.9, JSON.stringify(writing));
    await clock.advance(60_000);
    const reading = await shareOfTicks(both.daemon, clock, () =>
      severalAtOnce(BOXES, (i) => bob.read(readCap, indices[i]!)),
    );
    t.diagnostic(`reading: ${JSON.stringify(reading)}`);
    assert.ok(reading.share >= 0.9, JSON.stringify(reading));
  });

  test("while the boxes of a copy are written", async (t) => {
    const { clock, both, alice } = await started("copy ticks");
    await using _ = both;
    const { writeCap, firstMessageIndex } = await clock.runUntil(newStream(alice));
    const destinations = [{ writeCap, startIndex: firstMessageIndex }];
    let allWritten!: () => void;
    const written = new Promise<void>((resolve) => (allWritten = resolve));
    let copied: Promise<unknown> = Promise.resolve();
    const writing = await shareOfTicks(both.daemon, clock, async () => {
      copied = alice.copy(somePayload(100_000), destinations, {
        onProgress: ({ phase, boxesDone, boxesTotal }) => {
          if (phase === "write" && boxesDone === boxesTotal) allWritten();
        },
      });
      await Promise.race([written, copied]);
    });
    t.diagnostic(`copying: ${JSON.stringify(writing)}`);
    assert.ok(writing.share >= 0.9, JSON.stringify(writing));
    await clock.runUntil(copied);
  });
});
