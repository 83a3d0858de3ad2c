/** When a client asks for the current document. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../src/clock/virtual.js";
import { DocumentFollower } from "../../src/client/documents.js";
import { PkiDocument } from "../../src/pki/document.js";
import { epochStart } from "../../src/pki/epoch.js";
import { pkiDocument } from "./fixture.js";

const EPOCH_MS = 1_200_000;
const EPOCH = 200_000;
const MINUTE = 60_000;

const ofEpoch = (epoch: number): PkiDocument => PkiDocument.decode(pkiDocument({ Epoch: epoch }));

/** A clock whose wall can be set. */
class SetClock extends VirtualClock {
  aheadMs = 0;

  override now(): number {
    return super.now() + this.aheadMs;
  }
}

function setUp(sinceMs = 100_000) {
  const clock = new SetClock(epochStart(EPOCH, EPOCH_MS) + sinceMs);
  const made = {
    clock,
    canAsk: true,
    /** When it asked, in ms since the beginning. */
    asked: [] as number[],
    fetch: (): Promise<void> => Promise.resolve(),
  };
  const follower = new DocumentFollower({
    clock,
    canAsk: () => made.canAsk,
    fetch: () => {
      made.asked.push(clock.monotonic());
      return made.fetch();
    },
  });
  return Object.assign(made, { follower });
}

test("it asks soon after the end of the document's epoch, and not all clients at once", async () => {
  const times = new Set<number>();
  for (let i = 0; i < 10; i++) {
    const { clock, asked, follower } = setUp();
    follower.follow(ofEpoch(EPOCH));
    await clock.advance(EPOCH_MS - 100_001);
    assert.deepEqual(asked, []);
    await clock.advance(EPOCH_MS / 100 + 2);
    assert.equal(asked.length, 1);
    times.add(asked[0]!);
    follower.end();
    assert.equal(clock.pending, 0);
  }
  assert.ok(times.size > 1);
});

for (const sinceMs of [0, 1, 100_000]) {
  test(`it asks at once when the document's epoch is over for ${sinceMs} ms`, async () => {
    const { clock, asked, follower } = setUp(sinceMs);
    follower.follow(ofEpoch(EPOCH - 1));
    assert.deepEqual(asked, [0]);
    follower.end();
    await clock.advance(EPOCH_MS);
    assert.deepEqual(asked, [0]);
  });
}

test("it asks again after an eighth of an epoch, however long an answer takes", async () => {
  const made = setUp();
  const { clock, asked, follower } = made;
  made.fetch = () => Promise.reject(new Error("not there yet"));
  follower.follow(ofEpoch(EPOCH - 1));
  await clock.advance(3 * MINUTE);
  assert.deepEqual(asked, [0, 150_000]);
  let answer = (): void => {};
  made.fetch = () => new Promise((resolve) => (answer = resolve));
  await clock.advance(10 * MINUTE);
  assert.deepEqual(asked, [0, 150_000, 300_000]);
  // Another document of the same epoch does not make it ask twice at once.
  follower.follow(ofEpoch(EPOCH - 1));
  assert.equal(asked.length, 3);
  made.fetch = () => Promise.resolve();
  answer();
  await clock.advance(150_000);
  assert.equal(asked.length, 4);
  follower.end();
});

test("it does not ask without a connection, looks once in a minute, and asks when there is one", async () => {
  const made = setUp();
  const { clock, asked, follower } = made;
  made.canAsk = false;
  let looks = 0;
  const after = clock.after.bind(clock);
  clock.after = (...args) => (looks++, after(...args));
  follower.follow(ofEpoch(EPOCH - 1));
  await clock.advance(10 * MINUTE);
  assert.deepEqual(asked, []);
  assert.ok(looks >= 10 && looks <= 12, `${looks} looks`);
  made.canAsk = true;
  await clock.advance(MINUTE);
  assert.equal(asked.length, 1);
  follower.end();
});

test("it notices within a minute that the wall clock was set forward", async () => {
  const { clock, asked, follower } = setUp();
  follower.follow(ofEpoch(EPOCH));
  await clock.advance(MINUTE);
  clock.aheadMs = EPOCH_MS;
  await clock.advance(MINUTE);
  assert.equal(asked.length, 1);
  follower.end();
});

test("it relies on announcements when a document does not say how long its epochs are", async () => {
  const { clock, asked, follower } = setUp();
  follower.follow(ofEpoch(EPOCH));
  follower.follow(ofEpoch(1));
  assert.equal(clock.pending, 0);
  await clock.advance(3 * EPOCH_MS);
  assert.deepEqual(asked, []);
  follower.follow(ofEpoch(EPOCH + 3));
  await clock.advance(EPOCH_MS);
  assert.equal(asked.length, 1);
  follower.end();
});

test("it follows nothing after its end, also when an answer comes late", async () => {
  const made = setUp();
  const { clock, asked, follower } = made;
  let answer = (): void => {};
  made.fetch = () =>
    new Promise((resolve) => {
      answer = () => {
        follower.follow(ofEpoch(EPOCH - 1));
        resolve();
      };
    });
  follower.follow(ofEpoch(EPOCH - 1));
  follower.end();
  assert.equal(clock.pending, 0);
  answer();
  await clock.advance(EPOCH_MS);
  assert.equal(asked.length, 1);
  assert.equal(clock.pending, 0);
});
