import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../src/clock/clock.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { PacketQueue } from "../../src/network/mix/packet-queue.js";

/** A clock whose turns the test counts and runs. */
function handTurned(): { clock: Clock; turn: () => void; readonly waiting: number } {
  const callbacks: (() => void)[] = [];
  const clock = { soon: (callback: () => void) => callbacks.push(callback) } as unknown as Clock;
  return {
    clock,
    turn: () => callbacks.shift()?.(),
    get waiting() {
      return callbacks.length;
    },
  };
}

test("packets without delay arrive in one turn and in order, and their consequences in the next", () => {
  const hand = handTurned();
  const queue = new PacketQueue(hand.clock);
  const arrived: string[] = [];
  queue.add(0, () => {
    arrived.push("a");
    queue.add(0, () => arrived.push("c"));
  });
  queue.add(0, () => arrived.push("b"));
  assert.deepEqual([queue.size, hand.waiting, arrived], [2, 1, []]);
  hand.turn();
  assert.deepEqual([queue.size, hand.waiting, arrived], [1, 1, ["a", "b"]]);
  hand.turn();
  assert.deepEqual([queue.size, hand.waiting, arrived], [0, 0, ["a", "b", "c"]]);
});

test("an arrival that throws does not affect the later ones", () => {
  const hand = handTurned();
  const queue = new PacketQueue(hand.clock);
  const arrived: string[] = [];
  queue.add(0, () => arrived.push("a"));
  queue.add(0, () => {
    throw new Error("broken");
  });
  queue.add(0, () => arrived.push("b"));
  assert.throws(() => hand.turn(), /broken/);
  hand.turn();
  assert.deepEqual(arrived, ["a", "b"]);
  assert.equal(hand.waiting, 0);
});

test("packets with delays arrive after them, and none after the queue was closed", async () => {
  const clock = new VirtualClock();
  const queue = new PacketQueue(clock);
  const arrived: string[] = [];
  queue.add(20, () => arrived.push("late"));
  queue.add(10, () => arrived.push("early"));
  queue.add(0, () => arrived.push("now"));
  assert.equal(queue.size, 3);
  await clock.advance(10);
  assert.deepEqual(arrived, ["now", "early"]);
  queue.add(0, () => arrived.push("never"));
  queue.close();
  queue.add(1, () => arrived.push("never"));
  assert.equal(queue.size, 0);
  await clock.advance(100);
  assert.deepEqual(arrived, ["now", "early"]);
});
