import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type EventHandler, EventHub, type Registration } from "../../src/client/event-hub.js";
import { withFreshEnvelope } from "../../src/client/boxes.js";
import { silentLogger } from "../../src/client/options.js";
import { PkiCache } from "../../src/client/documents.js";
import { runWithin, scopeWithin } from "../../src/client/call-options.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import type { EventType } from "../../src/config/events.js";
import { InvalidEpochError, RequestTimeoutError } from "../../src/errors/errors.js";
import { reasonOf } from "./fixture.js";

/** A hub that counts its listeners. */
class CountingHub extends EventHub {
  listening = 0;

  constructor() {
    super(() => undefined, silentLogger);
  }

  override on<T extends EventType>(type: T, handler: EventHandler<T>): Registration {
    this.listening++;
    const off = super.on(type, handler);
    const counted = (): void => {
      this.listening--;
      off();
    };
    return Object.assign(counted, { [Symbol.dispose]: counted });
  }
}

describe("an operation with fresh envelopes", () => {
  test("listens to documents only while it runs", async () => {
    const hub = new CountingHub();
    const context = { hub, documents: new PkiCache() };
    const { signal } = new AbortController();
    let sealed = 0;
    const result = await withFreshEnvelope(
      context,
      signal,
      async () => ++sealed,
      async (envelope) => {
        assert.equal(hub.listening, 1);
        if (envelope < 3) throw new InvalidEpochError();
        return envelope;
      },
    );
    assert.equal(result, 3);
    assert.equal(hub.listening, 0);
    const why = new Error("other");
    const failing = withFreshEnvelope(
      context,
      signal,
      async () => 1,
      () => Promise.reject(why),
    );
    assert.equal(await reasonOf(failing), why);
    assert.equal(hub.listening, 0);
  });

  test("seals nothing more after its signal was aborted", async () => {
    const context = { hub: new CountingHub(), documents: new PkiCache() };
    const abort = new AbortController();
    const seen: boolean[] = [];
    const failing = withFreshEnvelope(
      context,
      abort.signal,
      async (signal) => {
        seen.push(signal.aborted);
        signal.throwIfAborted();
      },
      async () => {
        abort.abort("enough");
        throw new InvalidEpochError();
      },
    );
    assert.equal(await reasonOf(failing), "enough");
    assert.deepEqual(seen, [false, true]);
  });
});

describe("a scope", () => {
  test("is aborted with the outer signal, whether that was aborted before or after", () => {
    const outer = new AbortController();
    const before = scopeWithin(outer.signal);
    const left = scopeWithin(outer.signal);
    left.leave();
    outer.abort("enough");
    const after = scopeWithin(outer.signal);
    assert.equal(before.signal.reason, "enough");
    assert.equal(after.signal.reason, "enough");
    assert.equal(left.signal.aborted, false);
  });

  test("aborts by itself without aborting the outer one", () => {
    const outer = new AbortController();
    const scope = scopeWithin(outer.signal);
    scope.abort("mine");
    assert.equal(scope.signal.reason, "mine");
    assert.equal(outer.signal.aborted, false);
  });
});

describe("work under one deadline", () => {
  const contextOf = (clock: VirtualClock) => ({
    options: { clock, metrics: null },
    calls: { hindrance: () => ({ text: "a reason" }) },
  });

  test("learns of the deadline from its signal", async () => {
    const clock = new VirtualClock();
    const work = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const reason = reasonOf(runWithin(contextOf(clock), "read", { timeoutMs: 1000 }, work));
    await clock.advance(1000);
    const error = await reason;
    assert.ok(error instanceof RequestTimeoutError);
    assert.equal(error.operation, "read");
    assert.equal(error.message, "read was not answered within 1000 ms: a reason");
  });

  test("leaves no timer when it is done or fails", async () => {
    const clock = new VirtualClock();
    assert.equal(await runWithin(contextOf(clock), "read", { timeoutMs: 1000 }, async () => 5), 5);
    const why = new Error("other");
    const failing = runWithin(contextOf(clock), "read", { timeoutMs: 1000 }, () =>
      Promise.reject(why),
    );
    assert.equal(await reasonOf(failing), why);
    assert.equal(clock.pending, 0);
  });

  test("does not start if its signal is already aborted", async () => {
    const abort = new AbortController();
    abort.abort("enough");
    let begun = false;
    const work = async (): Promise<void> => {
      begun = true;
    };
    const { signal } = abort;
    assert.equal(
      await reasonOf(runWithin(contextOf(new VirtualClock()), "read", { signal }, work)),
      "enough",
    );
    assert.equal(begun, false);
  });
});
