/** The end of the process, and the signals that end it. */

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const callbacks = new Set<() => void>();

function callAll(): void {
  for (const callback of callbacks) callback();
}

function onSignal(signal: NodeJS.Signals): void {
  callAll();
  remove();
  // Where nobody else listens the signal is to do what it would have done without us.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  else if (callbacks.size > 0) install();
}

function install(): void {
  process.on("exit", callAll);
  for (const signal of signals) process.on(signal, onSignal);
}

function remove(): void {
  process.off("exit", callAll);
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
