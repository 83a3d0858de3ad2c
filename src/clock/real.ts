/** The platform's clock. */
import { type Clock, type Timer, sleepOn } from "./clock.js";

declare function setTimeout(callback: () => void, ms: number): number | { unref(): void };
declare function clearTimeout(handle: number | { unref(): void }): void;
declare const performance: { now(): number };

// setTimeout reads its delay as a signed 32-bit number and fires at once when it is larger.
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

/** The platform's clock and timers. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after,
  sleep: (ms, signal) => sleepOn({ after }, ms, signal),
};
