import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../src/clock/virtual.js";

test("timers fire in the order of their times, equal ones in the order in which they were set", async () => {
  const clock = new VirtualClock(5000);
  const fired: string[] = [];
  const note = (name: string) => (): void => void fired.push(`${name} ${clock.monotonic()}`);
  clock.after(30, note("c"));
  clock.after(10, note("a"));
  clock.after(30, note("d"));
  clock.after(20, note("b"));
  clock.after(15, note("cancelled")).cancel();
  assert.equal(clock.pending, 4);
  await clock.advance(29);
  assert.deepEqual(fired, ["a 10", "b 20"]);
  assert.equal(clock.now(), 5029);
  await clock.advance(1);
  assert.deepEqual(fired, ["a 10", "b 20", "c 30", "d 30"]);
  assert.equal(clock.pending, 0);
});

test("runUntilIdle fires the timers that timers set, and stops at its limit", async () => {
  const clock = new VirtualClock();
  let fired = 0;
  const again = (): void => {
    if (++fired < 3) clock.after(100, again);
  };
  clock.after(100, again);
  clock.after(2000, () => fired++);
  await clock.runUntilIdle(1000);
  assert.deepEqual([fired, clock.monotonic(), clock.pending], [3, 300, 1]);
  await clock.runUntilIdle();
  assert.deepEqual([fired, clock.monotonic(), clock.pending], [4, 2000, 0]);
});

test("runUntil returns the promise's result, and names the limit when it stays pending", async () => {
  const clock = new VirtualClock();
  const slept = clock.sleep(500).then(() => "slept");
  assert.equal(await clock.runUntil(slept), "slept");
  assert.equal(clock.monotonic(), 500);
  await assert.rejects(clock.runUntil(clock.sleep(500), 400), RangeError);
  assert.equal(clock.monotonic(), 500);
});
