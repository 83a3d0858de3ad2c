/** How a reader continues after boxes that are gone: what it skips, and what it must not skip. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { firstIndexOf } from "../../src/bacap/index.js";
import { utf8ToText } from "../../src/bytes/bytes.js";
import { type Message, type Reader, openChannels } from "../../src/channels/index.js";
import { Horizon } from "../../src/channels/look-ahead.js";
import { CrashDatabase, Disk } from "./crash-database.js";
import { world } from "./world.js";

const DAY = 24 * 3600 * 1000;

/** Collects what a reader yields as long as it listens. */
function listen(reader: Reader): { readonly heard: Message[]; end(): Promise<void> } {
  const heard: Message[] = [];
  const abort = new AbortController();
  const loop = (async () => {
    for await (const message of reader.messages({ signal: abort.signal })) heard.push(message);
  })().catch(() => {});
  return {
    heard,
    end: () => {
      abort.abort();
      return loop;
    },
  };
}

const told = (heard: readonly Message[]): string[] =>
  heard.map(({ bytes, gap }) => `${utf8ToText(bytes)}${gap > 0 ? ` after ${gap}` : ""}`);

describe("looking ahead", () => {
  it("boxes that are written during a look ahead are not skipped", async () => {
    const { clock, boxes, open } = world();
    boxes.lifetimeMs = 7 * DAY;
    const [alice, bob] = [await open(), await open()];
    const writer = await alice.create("out");
    const reader = await bob.import("in", await writer.invitation());
    await clock.runUntil((await writer.send("lost")).stored);
    await clock.advance(8 * DAY);
    boxes.fate = () => ({ delayMs: 10_000, lost: null });
    const { heard, end } = listen(reader);
    // By now the look ahead knows that the boxes at distance 1, 2 and 4 are missing.
    await clock.advance(50_000);
    boxes.fate = () => ({ delayMs: 10, lost: null });
    const sent = Array.from({ length: 20 }, (_, i) => String(i));
    for (const text of sent) await clock.runUntil((await writer.send(text)).stored);
    boxes.fate = () => ({ delayMs: 10_000, lost: null });
    await clock.advance(DAY);
    assert.deepEqual(told(heard), ["0 after 1", ...sent.slice(1)]);
    await end();
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a new reader does not wait an hour for the boxes after forty that expired before it came", async () => {
    const { clock, boxes, open } = world();
    boxes.lifetimeMs = 7 * DAY;
    const [alice, bob] = [await open(), await open()];
    const writer = await alice.create("out");
    const reader = await bob.import("in", await writer.invitation());
    for (let i = 0; i < 40; i++) await clock.runUntil((await writer.send("lost")).stored);
    await clock.advance(8 * DAY);
    await clock.runUntil((await writer.send("news")).stored);
    boxes.fate = () => ({ delayMs: 5000, lost: null });
    const { heard, end } = listen(reader);
    await clock.advance(20 * 60_000);
    assert.deepEqual(told(heard), ["news after 40"]);
    await end();
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  for (const [lost, left, minutes] of [
    [200, 10, 25],
    [700, 22, 25],
    [1100, 40, 6 * 60],
  ] as const) {
    it(`a new reader finds the ${left} boxes after ${lost} that expired within ${minutes} minutes`, async () => {
      const { clock, boxes, open } = world();
      boxes.lifetimeMs = 7 * DAY;
      const [alice, bob] = [await open(), await open()];
      const writer = await alice.create("out");
      const reader = await bob.import("in", await writer.invitation());
      for (let i = 0; i < lost; i++) await clock.runUntil((await writer.send("lost")).stored);
      await clock.advance(8 * DAY);
      const sent = Array.from({ length: left }, (_, i) => String(i));
      for (const text of sent) await clock.runUntil((await writer.send(text)).stored);
      boxes.fate = () => ({ delayMs: 5000, lost: null });
      const { heard, end } = listen(reader);
      await clock.advance(minutes * 60_000);
      assert.deepEqual(told(heard), [`0 after ${lost}`, ...sent.slice(1)]);
      await end();
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    });
  }

  it("visits each distance once, and finds each run that is long for its distance early", () => {
    const horizon = new Horizon(true);
    const visited = new Set<number>();
    for (let mark = 1; mark <= 1024; mark *= 2) visited.add(mark);
    const visit = (): void => {
      const { distance } = horizon;
      assert.ok(!visited.has(distance), `${distance} twice`);
      visited.add(distance);
      horizon.visited({ index: null as never, distance });
    };
    const findsAll = (from: number, to: number): void => {
      for (let distance = from; distance < to; distance++) {
        const length = Math.ceil(distance / 32);
        const run = Array.from({ length }, (_, i) => distance + i);
        assert.ok(
          run.some((at) => visited.has(at)),
          `${length} boxes from ${distance}`,
        );
      }
    };
    while (!horizon.isNearDone) visit();
    assert.equal(visited.size, 192, "as docs/architecture.md says");
    findsAll(1, 1024);
    while (!horizon.isDone) visit();
    findsAll(1024, 8192 - 256);
    for (let distance = 1; distance <= 1024; distance++) assert.ok(visited.has(distance));
    assert.equal(horizon.distance, 3, "begins again");
    visited.clear();
    do visit();
    while (horizon.distance !== 3);
    assert.equal(visited.size, 1024 - 11, "not far away");
  });

  it("a lost box does not block those after it for as long as boxes of the same burst live", async () => {
    const { clock, boxes, open } = world();
    const [alice, bob] = [await open(), await open()];
    const writer = await alice.create("out");
    const reader = await bob.import("in", await writer.invitation());
    // All at once, so that each says that those before it may not be stored.
    const burst = await Promise.all(["0", "1", "2"].map((text) => writer.send(text)));
    await clock.runUntil(Promise.all(burst.map(({ stored }) => stored)));
    await clock.runUntil((await writer.send("3")).stored);
    boxes.lose(reader.readCap(), firstIndexOf(reader.readCap()));
    const { heard, end } = listen(reader);
    await clock.advance(DAY);
    assert.deepEqual(told(heard), ["1 after 1", "2", "3"]);
    await end();
    await clock.runUntil(Promise.all([alice.close(), bob.close()]));
  });

  it("a look ahead whose commit fails leaves the cursor where it was, whatever is read meanwhile", async () => {
    const { clock, boxes, open } = world();
    boxes.lifetimeMs = 7 * DAY;
    let batches = Infinity;
    let onSlowRead: (() => void) | null = null;
    /** Refuses one batch, and is slow to read after that. */
    class SlowDatabase extends CrashDatabase {
      override async get(key: string): Promise<Uint8Array | undefined> {
        if (batches < 0) {
          onSlowRead?.();
          await clock.sleep(500);
        }
        return super.get(key);
      }
      override async batch(...given: Parameters<CrashDatabase["batch"]>): Promise<void> {
        if (batches-- === 0) throw new Error("ENOSPC: no space left on device");
        return super.batch(...given);
      }
    }
    for (let n = 0; n < 4; n++) {
      const alice = await open();
      const bob = await openChannels(boxes.client(), new SlowDatabase(new Disk()), { clock });
      const writer = await alice.create("out");
      const reader = await bob.import("in", await writer.invitation());
      for (let i = 0; i < 3; i++) await clock.runUntil((await writer.send(`lost ${i}`)).stored);
      await clock.advance(8 * DAY);
      const sent = Array.from({ length: 5 }, (_, i) => String(i));
      for (const text of sent) await clock.runUntil((await writer.send(text)).stored);
      batches = n;
      const abort = new AbortController();
      // Another listener makes the scheduler look for work.
      onSlowRead = () =>
        void reader
          .messages({ signal: abort.signal })
          .next()
          .catch(() => {});
      const { heard, end } = listen(reader);
      await clock.advance(600_000);
      assert.deepEqual(told(heard), ["0 after 3", ...sent.slice(1)], `batch ${n}`);
      assert.deepEqual(
        heard.map(({ id }) => id - heard[0]!.id),
        [0n, 1n, 2n, 3n, 4n],
      );
      [batches, onSlowRead] = [Infinity, null];
      abort.abort();
      await end();
      await clock.runUntil(Promise.all([alice.close(), bob.close()]));
    }
  });

  it("a new reader whose first read fails looks ahead no more often than others", async () => {
    const { clock, boxes, open } = world();
    const channels = await open();
    const writer = await channels.create("out");
    const reads: number[] = [];
    for (const lost of [null, "request"] as const) {
      const reader = await channels.import(`in ${lost}`, await writer.invitation());
      const before = boxes.reads;
      let calls = 0;
      boxes.fate = () => ({ delayMs: 10, lost: calls++ === 0 ? lost : null });
      const { end } = listen(reader);
      await clock.advance(3_600_000);
      reads.push(boxes.reads - before);
      await end();
      await channels.delete(reader.name);
    }
    assert.ok(reads[1]! <= reads[0]! + 30, reads.join());
    await clock.runUntil(channels.close());
  });
});
