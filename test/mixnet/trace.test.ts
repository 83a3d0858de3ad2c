import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DaemonTrace } from "../../src/daemon/trace.js";
import { type LinkTrace, TraceRing, quietHook, shortId } from "../../src/mixnet/trace.js";

/** The allowed types of an event's fields; they include neither bytes nor open records. */
type Told =
  | string
  | number
  | boolean
  | null
  | readonly { readonly node: string; readonly delayMs: number }[];

/** Names of an event's fields that have any other type. */
type Untold<T> = T extends unknown
  ? { [N in keyof T]: T[N] extends Told ? never : N }[keyof T]
  : never;

describe("traces", () => {
  test("no event has a field that could hold bytes", () => {
    // These lines do not compile if there is one.
    const ofLinks: Untold<LinkTrace>[] = [];
    const ofDaemons: Untold<DaemonTrace>[] = [];
    assert.deepEqual([...ofLinks, ...ofDaemons], []);
    // @ts-expect-error -- bytes would be noticed
    const bytes: Untold<{ payload: Uint8Array }> extends never ? true : false = true;
    assert.ok(bytes);
  });

  test("IDs are shown by their first four bytes", () => {
    assert.equal(shortId(Uint8Array.from({ length: 16 }, (_, i) => i)), "00010203");
    assert.equal(shortId(Uint8Array.of(255)), "ff");
  });

  test("a hook is optional, and a hook that throws does not affect the work", () => {
    const heard: number[] = [];
    const hook = quietHook((n: number) => {
      heard.push(n);
      throw new Error("of the watcher");
    });
    hook!(1);
    hook!(2);
    assert.deepEqual(heard, [1, 2]);
    assert.equal(quietHook(undefined), null);
  });
});

describe("the ring of events", () => {
  test("keeps the last ones in order", () => {
    const ring = new TraceRing<number>(3);
    assert.deepEqual(ring.events(), []);
    for (let i = 0; i < 5; i++) ring.add(i);
    assert.deepEqual(ring.events(), [2, 3, 4]);
    assert.equal(ring.added, 5);
    assert.deepEqual(ring.events(4), [4]);
    assert.deepEqual(ring.events(5), []);
    assert.deepEqual(ring.events(0), [2, 3, 4]);
  });

  test("keeps 10,000 by default", () => {
    const ring = new TraceRing<number>();
    for (let i = 0; i < 10_001; i++) ring.add(i);
    const events = ring.events();
    assert.deepEqual([events.length, events[0], events.at(-1)], [10_000, 1, 10_000]);
  });

  test("refuses a capacity that is not a positive whole number", () => {
    for (const capacity of [0, -1, 1.5, NaN, Infinity]) {
      assert.throws(() => new TraceRing(capacity), {
        name: "RangeError",
        message: `\`capacity\` must be a whole number from 1 up, got ${capacity}`,
      });
    }
  });
});
