/** Callbacks for aborted signals. */

interface Heard {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

// One listener per signal, however many calls, readers and handlers share it, because Node warns of
// a leak from the eleventh listener on. So no other code in the library listens to a caller's
// signal directly.
const heard = new WeakMap<AbortSignal, Heard>();

/**
 * Calls `callback` once when `signal` is aborted, in the order in which callbacks were added.
 * Returns a function that removes it.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const entry = heard.get(signal) ?? listenTo(signal);
  // A function of its own, so that a callback that was added twice is called twice.
  const called = (): void => callback();
  entry.callbacks.add(called);
  return () => {
    entry.callbacks.delete(called);
    if (entry.callbacks.size > 0 || heard.get(signal) !== entry) return;
    heard.delete(signal);
    signal.removeEventListener("abort", entry.listener);
  };
}

function listenTo(signal: AbortSignal): Heard {
  const callbacks = new Set<() => void>();
  const listener = (): void => {
    heard.delete(signal);
    for (const callback of callbacks) callback();
  };
  const entry = { callbacks, listener };
  heard.set(signal, entry);
  signal.addEventListener("abort", listener, { once: true });
  return entry;
}
