import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, test } from "node:test";
import { onAbort } from "../../src/clock/on-abort.js";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

describe("onAbort", () => {
  test("calls every callback once, in order", () => {
    const abort = new AbortController();
    const called: number[] = [];
    for (const n of [1, 2, 3]) onAbort(abort.signal, () => called.push(n));
    abort.abort();
    abort.abort();
    assert.deepEqual(called, [1, 2, 3]);
  });

  test("does not call removed callbacks, and calls a callback as often as it was added", () => {
    const abort = new AbortController();
    let calls = 0;
    const callback = (): void => void calls++;
    const [one, two] = [onAbort(abort.signal, callback), onAbort(abort.signal, callback)];
    one();
    one();
    abort.abort();
    assert.equal(calls, 1);
    two();
  });

  test("adds one listener per signal, and none without callbacks", () => {
    const { signal } = new AbortController();
    const offs = Array.from({ length: 50 }, () => onAbort(signal, () => {}));
    assert.equal(listeners(signal), 1);
    for (const off of offs) off();
    assert.equal(listeners(signal), 0);
    const again = onAbort(signal, () => {});
    assert.equal(listeners(signal), 1);
    offs[0]!();
    assert.equal(listeners(signal), 1, "an old one cannot take a new one back");
    again();
    assert.equal(listeners(signal), 0);
  });

  test("does not call callbacks that an earlier callback removed", () => {
    const abort = new AbortController();
    let called = false;
    let off = (): void => {};
    onAbort(abort.signal, () => off());
    off = onAbort(abort.signal, () => (called = true));
    abort.abort();
    assert.equal(called, false);
  });

  test("keeps signals apart", () => {
    const [one, two] = [new AbortController(), new AbortController()];
    const called: string[] = [];
    onAbort(one.signal, () => called.push("one"));
    onAbort(two.signal, () => called.push("two"));
    two.abort();
    assert.deepEqual(called, ["two"]);
  });
});
