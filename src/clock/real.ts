/** The platform's clock. */
import { type Clock, type Timer, sleepOn } from "./clock.js";

declare function setTimeout(callback: () => void, ms: number): number | { unref(): void };
declare function clearTimeout(handle: number | { unref(): void }): void;
declare const performance: { now(): number };
declare const setImmediate: ((callback: () => void) => void) | undefined;
declare const MessageChannel: new () => {
  readonly port1: { onmessage: (() => void) | null };
  readonly port2: { postMessage(message: null): void };
};

// setTimeout treats its delay as a signed 32-bit number and fires at once if it is larger.
const LONGEST_DELAY_MS = 2 ** 31 - 1;

function after(ms: number, callback: () => void, options?: { background?: boolean }): Timer {
  let handle: number | { unref(): void };
  const arm = (left: number): void => {
    const step = Math.min(left, LONGEST_DELAY_MS);
    handle = setTimeout(() => {
      if (left > step) arm(left - step);
      else callback();
    }, step);
    if (options?.background && typeof handle === "object") handle.unref();
  };
  arm(Math.max(0, ms));
  return { cancel: () => clearTimeout(handle) };
}

let soonInBrowser: ((callback: () => void) => void) | null = null;

/** Browsers do not have setImmediate; a message to oneself is a turn without delay. */
function makeSoon(): (callback: () => void) => void {
  const waiting: (() => void)[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => waiting.shift()?.();
  return (callback) => {
    waiting.push(callback);
    port2.postMessage(null);
  };
}

function soon(callback: () => void): void {
  if (typeof setImmediate === "function") {
    setImmediate(callback);
  } else {
    soonInBrowser ??= makeSoon();
    soonInBrowser(callback);
  }
}

/** The platform's clock and timers. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after,
  soon,
  sleep: (ms, signal) => sleepOn({ after }, ms, signal),
};
