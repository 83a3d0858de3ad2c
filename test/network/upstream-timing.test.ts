/**
 * Couriers and replicas with upstream's timing: each wait shows in their behaviour, to the
 * millisecond.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { VirtualClock } from "../../src/clock/virtual.js";
import { makeReadMessage, makeWriteMessage } from "../../src/crypto/envelope/box-messages.js";
import { CopyStatus } from "../../src/crypto/envelope/courier-messages.js";
import { upstreamTiming } from "../../src/mixnet/timing.js";
import { REPLICA_EPOCH_MS, epochStart } from "../../src/pki/epoch.js";
import {
  elementsOf,
  envelopesFor,
  places,
  prepareCopy,
  writeElements,
} from "./copy-stream-fixture.js";
import { type FixtureOptions, StorageFixture, sizes, stream } from "./storage-fixture.js";

const keys = stream(1);
const temporary = stream(2);
const hello = new TextEncoder().encode("hello");
const read = makeReadMessage(keys.readCap, keys.firstMessageIndex);
const write = makeWriteMessage(sizes, keys.writeCap, keys.firstMessageIndex, hello);
const hour = 3_600_000;

const start = (options: FixtureOptions = {}): Promise<StorageFixture> =>
  StorageFixture.kind({ timing: upstreamTiming, ...options });

/** Silences replicas; returns when commands reach them, in ms from now, oldest first. */
function silence(fixture: StorageFixture, ids: readonly number[]): number[] {
  const times: number[] = [];
  const since = fixture.clock.monotonic();
  for (const id of ids) {
    fixture.network.replicas[id]!.faults.takeLoss = () => {
      times.push(fixture.clock.monotonic() - since);
      return true;
    };
  }
  return times;
}

const everyone = [0, 1, 2, 3, 4];

/** The start times of ten tries: a minute for each step of one, and a growing pause between two. */
function tenTries(steps: number): number[] {
  const pauses = [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000, 10_000, 0];
  const starts: number[] = [];
  let now = 0;
  for (const pause of pauses) {
    for (let step = 0; step < steps; step++) {
      starts.push(now);
      now += 60_000;
    }
    now += pause;
  }
  return starts;
}

void describe("upstream's timing", () => {
  void test("a copy waits a minute for each shard of a box, ten times, with growing pauses", async () => {
    const fixture = await start();
    const times = silence(fixture, everyone);
    assert.equal((await fixture.copy(temporary.writeCap)).status, CopyStatus.IN_PROGRESS);
    await fixture.virtual.advance(hour / 2);
    assert.deepEqual(times, tenTries(2));
    assert.equal((await fixture.copy(temporary.writeCap)).status, CopyStatus.FAILED);
    await fixture.network.close();
  });

  void test("a copy waits a minute for both replicas of an envelope, ten times", async () => {
    const fixture = await start({ replicas: 12 });
    const [made] = await envelopesFor(fixture, keys, hello);
    // Shards of the temporary boxes must answer, so the envelope goes to another replica, and to
    // one that does not exist.
    const shards = places(temporary.firstMessageIndex, 5).flatMap((index) =>
      fixture.shardsOf(makeReadMessage(temporary.readCap, index).boxId),
    );
    const silent = Array.from({ length: 12 }, (_, id) => id).find((id) => !shards.includes(id))!;
    const envelope = { ...made!, intermediateReplicas: [silent, 77] as const };
    const elements = elementsOf(fixture, [envelope]);
    await writeElements(fixture, temporary, elements);
    const times = silence(fixture, [silent]);
    await fixture.copy(temporary.writeCap);
    await fixture.virtual.advance(hour / 2);
    assert.deepEqual(times, tenTries(1));
    assert.equal((await fixture.copy(temporary.writeCap)).status, CopyStatus.FAILED);
    await fixture.network.close();
  });

  void test("a courier waits half a minute for replicas, and continues until the entry expires", async () => {
    const fixture = await start();
    const times = silence(fixture, everyone);
    await fixture.send(await fixture.envelope(write));
    await fixture.virtual.advance(299_999);
    // Silence for 30 s, then pauses of 30, 60 and 120 s.
    assert.deepEqual(times, [0, 0, 60_000, 60_000, 150_000, 150_000]);
    assert.equal(fixture.courier.cached, 1);
    await fixture.virtual.advance(1);
    assert.equal(fixture.courier.cached, 0);
    await fixture.virtual.advance(hour);
    assert.equal(times.length, 6);
    await fixture.network.close();
  });

  void test("a courier cleans up at most once a second", async () => {
    const fixture = await start();
    await fixture.send(await fixture.envelope(write));
    await fixture.virtual.advance(10);
    await fixture.send(await fixture.envelope(read));
    await fixture.virtual.advance(299_990);
    assert.equal(fixture.courier.cached, 1);
    await fixture.virtual.advance(999);
    assert.equal(fixture.courier.cached, 1);
    await fixture.virtual.advance(1);
    assert.equal(fixture.courier.cached, 0);
    await fixture.network.close();
  });

  void test("the result of a copy is kept for half an hour", async () => {
    const fixture = await start();
    await prepareCopy(fixture, temporary, keys, hello);
    await fixture.copy(temporary.writeCap);
    const before = fixture.clock.monotonic();
    const status = async () => (await fixture.copy(temporary.writeCap)).status;
    for (let i = 0; i < 1000 && (await status()) !== CopyStatus.SUCCEEDED; i++) {
      await fixture.settle();
    }
    assert.equal(fixture.clock.monotonic(), before, "nothing waits for anything here");
    await fixture.virtual.advance(1_799_999);
    assert.equal(await status(), CopyStatus.SUCCEEDED);
    await fixture.virtual.advance(1);
    assert.equal(await status(), CopyStatus.IN_PROGRESS, "forgotten, and started again");
    await fixture.network.close();
  });

  void test("a replica waits half a minute for each shard to which it passes a message", async () => {
    const fixture = await start();
    const shards = fixture.shardsOf(read.boxId);
    const other = everyone.find((id) => !shards.includes(id))!;
    const times = silence(fixture, shards);
    const asked = fixture.askReplica(other, read);
    let code: number | null = null;
    void asked.then(({ errorCode }) => (code = errorCode));
    await fixture.virtual.advance(59_999);
    assert.equal(code, null);
    await fixture.virtual.advance(1);
    assert.deepEqual(times, [0, 30_000]);
    assert.equal(code, 9);
    await fixture.network.close();
  });

  void test("a box that its other shard does not accept is offered again after 5, 10, 20, 40, 80 s", async () => {
    const fixture = await start();
    const [first, second] = fixture.shardsOf(read.boxId) as [number, number];
    const times = silence(fixture, [second]);
    await fixture.askReplica(first, write);
    await fixture.virtual.advance(420_000);
    // Each offer times out after half a minute.
    const pauses = [5, 10, 20, 40, 80, 80];
    const expected = [0];
    for (const pause of pauses) expected.push(expected.at(-1)! + 30_000 + pause * 1000);
    assert.deepEqual(times, expected);
    await fixture.network.close();
  });

  void test("expired boxes are deleted by the collection every six hours", async () => {
    const clock = new VirtualClock(epochStart(500, REPLICA_EPOCH_MS) - 3 * hour);
    const fixture = await start({ clock });
    const [shard] = fixture.shardsOf(read.boxId) as [number, number];
    await fixture.askReplica(shard, write);
    const stored = (): number => fixture.network.replicas[shard]!.stored.boxes;
    // The week after next begins 171 hours from the start; 174 is the next multiple of six.
    await clock.advance(174 * hour - 1);
    assert.equal(stored(), 1);
    await clock.advance(1);
    await fixture.settle();
    assert.equal(stored(), 0);
    await fixture.network.close();
  });
});
