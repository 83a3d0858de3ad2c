/** The end of the process, and the signals that end it. */

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
type EndingSignal = (typeof signals)[number];

const callbacks = new Set<() => void>();

function callAll(): void {
  for (const callback of callbacks) callback();
}

// Another copy of this package in the process listens in the same way: neither is the application.
const mark = Symbol.for("katzenpost-thinclient.endOfProcess");

function onSignal(signal: NodeJS.Signals): void {
  callAll();
  remove();
  // If nobody else listens, the signal must have its default effect.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}
Object.defineProperty(onSignal, mark, { value: true });

function isOfApplication(listener: unknown): boolean {
  return typeof listener === "function" && !(mark in listener);
}

function isEnding(event: string | symbol): event is EndingSignal {
  return (signals as readonly (string | symbol)[]).includes(event);
}

/**
 * A signal that the application handles does not end the process, so we ignore it; a handler that
 * does end the process leads to "exit". So we listen only while nobody else does. This also keeps
 * the count of listeners correct for packages that use it to see whether they are alone.
 */
function listenUnlessHandled(signal: EndingSignal): void {
  process.off(signal, onSignal);
  if (!process.listeners(signal).some(isOfApplication)) process.on(signal, onSignal);
}

/** Listens again a little later, if a callback is still registered. */
function listenAsBefore(signal: EndingSignal): void {
  if (callbacks.size > 0) listenUnlessHandled(signal);
}

function onNewListener(event: string | symbol, listener: unknown): void {
  if (!isEnding(event) || !isOfApplication(listener)) return;
  // This runs before the listener is added: without any listener Node would release the signal.
  queueMicrotask(() => listenAsBefore(event));
}

function onRemovedListener(event: string | symbol, listener: unknown): void {
  if (isEnding(event) && isOfApplication(listener)) listenAsBefore(event);
}

function install(): void {
  process.on("exit", callAll);
  for (const signal of signals) listenUnlessHandled(signal);
  process.on("newListener", onNewListener);
  process.on("removeListener", onRemovedListener);
}

function remove(): void {
  process.off("exit", callAll);
  process.off("newListener", onNewListener);
  process.off("removeListener", onRemovedListener);
  for (const signal of signals) process.off(signal, onSignal);
}

/** See the contract. */
export function onProcessEnd(callback: () => void): () => void {
  if (callbacks.size === 0) install();
  callbacks.add(callback);
  return () => {
    if (callbacks.delete(callback) && callbacks.size === 0) remove();
  };
}
