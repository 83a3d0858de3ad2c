/** When a daemon fetches and announces documents: spec/mixnet §3.6. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../src/clock/virtual.js";
import { DocumentSchedule } from "../../src/daemon/document-schedule.js";
import { Documents } from "../../src/daemon/documents.js";
import { FIRST_EPOCH, PERIOD_MS, makeDocument } from "./fixture.js";

/** A schedule at the start of an epoch. Its wall clock can be set without moving its timers. */
function schedule(kind = false) {
  const clock = new VirtualClock();
  const bornMs = clock.monotonic();
  const wall = { aheadMs: 0 };
  const epoch = () => {
    const passed = clock.monotonic() - bornMs + wall.aheadMs;
    const current = FIRST_EPOCH + Math.floor(passed / PERIOD_MS);
    const intoMs = passed - (current - FIRST_EPOCH) * PERIOD_MS;
    return { current, periodMs: PERIOD_MS, leftMs: PERIOD_MS - intoMs };
  };
  const documents = new Documents(() => epoch().current);
  const told: { readonly epoch: number; readonly part: number }[] = [];
  const first = { count: 0, wanted: 0 };
  const made = new DocumentSchedule({
    clock,
    epoch,
    want: () => first.wanted++,
    retryMs: 1000,
    documents,
    kind,
    onFirst: () => first.count++,
    onCurrent: (document) => {
      const { leftMs } = epoch();
      told.push({ epoch: document.epoch, part: 1 - leftMs / PERIOD_MS });
    },
  });
  const offer = (number: number): void => {
    const document = makeDocument(number);
    made.offer({ epoch: number, certificate: Uint8Array.of(1), document });
  };
  /** Passes one epoch. The next document arrives after 5/8 of it, as on real networks. */
  const passEpoch = async (): Promise<void> => {
    const { current } = epoch();
    await clock.advance((PERIOD_MS * 5) / 8);
    offer(current + 1);
    await clock.advance((PERIOD_MS * 3) / 8);
    offer(current + 1);
  };
  return { clock, wall, documents, told, first, schedule: made, offer, passEpoch };
}

test("the first document is announced at once, later ones after 11/16 of their epoch", async () => {
  const { clock, documents, told, offer, passEpoch, schedule: made } = schedule();
  offer(FIRST_EPOCH);
  assert.deepEqual(told, [{ epoch: FIRST_EPOCH, part: 0 }]);
  await passEpoch();
  assert.equal(documents.current()?.epoch, FIRST_EPOCH + 1, "it is there from the epoch's start");
  await passEpoch();
  await passEpoch();
  assert.deepEqual(told.slice(1), [
    { epoch: FIRST_EPOCH + 1, part: 11 / 16 },
    { epoch: FIRST_EPOCH + 2, part: 11 / 16 },
  ]);
  made.close();
  assert.equal(clock.pending, 0);
});

test("kind documents are announced when their epoch begins", async () => {
  const { told, offer, passEpoch } = schedule(true);
  offer(FIRST_EPOCH);
  await passEpoch();
  await passEpoch();
  assert.deepEqual(
    told.map(({ part }) => part),
    [0, 0, 0],
  );
});

test("the next epoch's document is fetched after 11/16 of this one, not when it is published", async () => {
  const { clock, documents, offer } = schedule();
  offer(FIRST_EPOCH);
  offer(FIRST_EPOCH + 1);
  await clock.advance((PERIOD_MS * 11) / 16 - 1);
  assert.equal(documents.ofEpoch(FIRST_EPOCH + 1), null);
  await clock.advance(1);
  assert.notEqual(documents.ofEpoch(FIRST_EPOCH + 1), null);
});

test("a late document is requested every sixteenth of an epoch, and the last one serves until then", async () => {
  const { clock, documents, told, offer } = schedule();
  offer(FIRST_EPOCH);
  await clock.advance(PERIOD_MS + 1000);
  assert.equal(documents.current()?.epoch, FIRST_EPOCH);
  offer(FIRST_EPOCH + 1);
  assert.equal(documents.current()?.epoch, FIRST_EPOCH);
  await clock.advance(PERIOD_MS / 16);
  assert.equal(documents.current()?.epoch, FIRST_EPOCH + 1);
  assert.equal(told.length, 2);
});

test("a change of the clock in either direction is detected within 10 s, and due documents are announced", async () => {
  const hours = 2 * 3_600_000;
  for (const jump of [hours, -hours]) {
    const { clock, wall, documents, told, offer } = schedule();
    offer(FIRST_EPOCH);
    await clock.advance(30_000);
    wall.aheadMs = jump;
    const then = FIRST_EPOCH + Math.floor((30_000 + jump) / PERIOD_MS);
    assert.equal(documents.current(), null, "neither the current nor the previous one");
    offer(then);
    assert.equal(documents.current()?.epoch, then, "a client that needs one fetches it");
    assert.equal(told.at(-1)?.epoch, then);
    // The clock is set back. Both documents are known, and only the clock says which one to
    // announce.
    wall.aheadMs = 0;
    offer(FIRST_EPOCH);
    await clock.advance(10_000);
    assert.equal(told.at(-1)?.epoch, FIRST_EPOCH);
  }
});

test("a request that needs a document waits for five fetches, a second apart", async () => {
  const { clock, first, offer, schedule: made } = schedule();
  const known = made.whenKnown();
  let done = false;
  void known.then(() => (done = true));
  await clock.advance(3999);
  assert.deepEqual([done, first.wanted], [false, 4]);
  await clock.advance(1);
  assert.deepEqual([done, first.wanted], [true, 5]);
  const again = made.whenKnown();
  offer(FIRST_EPOCH);
  await again;
  assert.equal(first.count, 1);
});
