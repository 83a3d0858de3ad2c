import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../src/client/backoff.js";

const limits = { initialDelayMs: 1000, maxDelayMs: 8000 };

/**
 * Returns the next pause. A pause lies between half of a value and the value; the largest of many
 * shows the value.
 */
function nextPause(make: () => Backoff): number {
  return Math.ceil(Math.max(...Array.from({ length: 200 }, () => make().pause())) / 500) * 500;
}

/** A backoff after connections that lasted `lasted` ms, each after one pause. */
function after(...lasted: readonly number[]): Backoff {
  const backoff = new Backoff(limits);
  let now = 0;
  for (const ms of lasted) {
    backoff.pause();
    backoff.connected(now);
    now += ms;
    backoff.lost(now);
  }
  return backoff;
}

test("pauses double with each failure up to the longest, and are at least half of that value", () => {
  const backoff = new Backoff(limits);
  for (const most of [1000, 2000, 4000, 8000, 8000]) {
    const pause = backoff.pause();
    assert.ok(pause >= most / 2 && pause <= most, `${pause} of ${most}`);
  }
});

test("pauses start again from the shortest after a connection that lasted", () => {
  assert.equal(
    nextPause(() => after(5000, 5000, 5000, 5000, 5000)),
    1000,
  );
});

test("a few short connections also reset the pauses; more of them in a row let the pauses grow", () => {
  assert.equal(
    nextPause(() => after(10, 10, 10)),
    1000,
  );
  assert.equal(
    nextPause(() => after(10, 10, 10, 10)),
    2000,
  );
  assert.equal(
    nextPause(() => after(10, 10, 10, 10, 10, 3999)),
    8000,
  );
  assert.equal(
    nextPause(() => after(10, 10, 10, 10, 10, 10, 60_000)),
    1000,
  );
});

test("whether a connection lasted is judged by the pause before it, so quick restarts stay quick", () => {
  const quick = new Backoff({ initialDelayMs: 10, maxDelayMs: 1000 });
  for (let now = 0; now < 1000; now += 25) {
    quick.pause();
    quick.connected(now);
    assert.equal(quick.lost(now + 20), true);
  }
});
