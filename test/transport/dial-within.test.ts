import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { dialWithin } from "../../src/transport/dial-within.js";

const timers = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

test("a dial that is over leaves no timer and no listener, however it ended", async () => {
  const abort = new AbortController();
  const before = timers();
  const dials: (() => Promise<string>)[] = [
    () => Promise.resolve("connected"),
    () => Promise.reject(new Error("refused")),
  ];
  for (const dial of dials) {
    await dialWithin({ signal: abort.signal }, dial).catch(() => {});
    assert.equal(timers(), before);
    assert.equal(getEventListeners(abort.signal, "abort").length, 0);
  }
});
