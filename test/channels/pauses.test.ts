import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Pauses } from "../../src/channels/pauses.js";
import type { Scheduler } from "../../src/channels/scheduler.js";

const BASE_MS = 2000;

/** Pauses, and the time that they are made with. */
function setUp() {
  const time = { ms: 10_000 };
  const scheduler = { now: () => time.ms, basePauseMs: BASE_MS } as Partial<Scheduler>;
  return { time, pauses: new Pauses(scheduler as Scheduler) };
}

/** The length of the pause that begins now. */
function begin({ time, pauses }: ReturnType<typeof setUp>, how: "missed" | "failed"): number {
  pauses[how]();
  const { lengthMs } = pauses;
  assert.ok(Math.abs(pauses.dueAt - time.ms - lengthMs) < 1e-3);
  // A whole number, so that sums are exact.
  time.ms = Math.ceil(pauses.dueAt);
  return lengthMs;
}

/** The pause after `n` others: up to a quarter of it is random, but none is shorter than the first. */
function checkLength(lengthMs: number, n: number): void {
  const longest = Math.min(300_000, BASE_MS * 1.25 ** n);
  const shortest = Math.max(BASE_MS, longest * 0.75);
  assert.ok(lengthMs >= shortest && lengthMs <= longest, `pause ${n} is ${lengthMs} ms`);
}

describe("pauses", () => {
  for (const how of ["missed", "failed"] as const) {
    it(`grow by a quarter while attempts have ${how}, up to five minutes`, () => {
      const made = setUp();
      const lengths = Array.from({ length: 40 }, () => begin(made, how));
      for (const [n, lengthMs] of lengths.entries()) checkLength(lengthMs, n);
      const all = lengths.reduce((sum, length) => sum + length, 0);
      assert.ok(Math.abs(made.pauses.waited * BASE_MS - (how === "missed" ? all : 0)) < 1e-3);
    });
  }

  it("begin anew when something was found", () => {
    const made = setUp();
    const { time, pauses } = made;
    for (let i = 0; i < 10; i++) begin(made, "missed");
    pauses.missed();
    time.ms += 100;
    pauses.found();
    assert.equal(pauses.dueAt, time.ms);
    assert.equal(pauses.lengthMs, 0);
    assert.equal(pauses.waited, 0);
    assert.equal(begin(made, "missed"), BASE_MS);
  });

  it("end, and begin anew, when attempts may succeed again after one that failed", () => {
    const made = setUp();
    const { time, pauses } = made;
    for (let i = 0; i < 10; i++) begin(made, "failed");
    pauses.failed();
    time.ms += 100;
    pauses.retry();
    assert.equal(pauses.dueAt, time.ms);
    assert.equal(pauses.lengthMs, 0);
    assert.equal(begin(made, "failed"), BASE_MS);
  });

  it("do not end with that after an attempt that found nothing", () => {
    const made = setUp();
    const { time, pauses } = made;
    begin(made, "failed");
    pauses.missed();
    const { dueAt } = pauses;
    time.ms += 100;
    pauses.retry();
    assert.equal(pauses.dueAt, dueAt);
    checkLength(pauses.lengthMs, 1);
  });

  it("are short again when something is likely to come, and never become longer by that", () => {
    const made = setUp();
    const { time, pauses } = made;
    for (let i = 0; i < 10; i++) begin(made, "missed");
    pauses.missed();
    const { dueAt } = pauses;
    pauses.shorten();
    assert.equal(pauses.dueAt, time.ms + BASE_MS);
    assert.equal(pauses.lengthMs, BASE_MS);
    assert.ok(pauses.dueAt < dueAt);
    time.ms += BASE_MS - 100;
    pauses.shorten();
    assert.equal(pauses.dueAt, time.ms + 100);
    time.ms += 100;
    assert.equal(begin(made, "missed"), BASE_MS);
    pauses.found();
    pauses.shorten();
    assert.equal(pauses.dueAt, time.ms);
    assert.equal(pauses.lengthMs, 0);
  });
});
