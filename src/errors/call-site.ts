/**
 * Where a call was made, for errors that are made in a timer long after it. Nothing is noted when a
 * call is made: that takes 8 to 20 µs, a third of a local request. Behind an await the engine knows
 * who waits for the promise; anyone who takes the promise and does not await it gets no line.
 */
import { RequestTimeoutError } from "./errors.js";

// V8's. Other engines keep no frames behind an await.
const capture = (Error as { captureStackTrace?: (target: object, below: unknown) => void })
  .captureStackTrace;

const placed = new WeakSet<Error>();

/**
 * Gives `error`, if it is a timeout, the stack of those who wait for `below`, unless it has such a
 * one already. To be called by `below`, behind an await, before it throws the error on.
 */
export function placeTimeout(error: unknown, below: unknown): void {
  if (!(error instanceof RequestTimeoutError) || placed.has(error)) return;
  const site: { stack?: string } = {};
  capture?.(site, below);
  const frames = site.stack?.split("\n").slice(1) ?? [];
  if (frames.length === 0) return;
  placed.add(error);
  Object.defineProperty(error, "stack", {
    value: [`${error.name}: ${error.message}`, ...frames].join("\n"),
    configurable: true,
    writable: true,
  });
}
