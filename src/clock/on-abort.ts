/** Hearing of an aborted signal. */

interface Heard {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

// One listener a signal, however many calls, readers and handlers share it: Node warns of a leak
// from the eleventh on. So nothing in the library listens to a caller's signal in another way.
const heard = new WeakMap<AbortSignal, Heard>();

/**
 * Calls `callback` once when `signal` is aborted from now on, in the order in which callbacks were
 * given. Returns a function that takes it back.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const entry = heard.get(signal) ?? listenTo(signal);
  // Its own function, so that a callback given twice is called twice.
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
