/** A tab's way to the connection that all tabs share, or to one of its own. */
import { describeType } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { onAbort } from "../clock/on-abort.js";
import { realClock } from "../clock/real.js";
import type { Transport } from "../transport/transport.js";
import { type MessagePortLike, type MessageSource, dialPort } from "./message-port.js";

/** Something that connects to a daemon: a `DialConfig`, or your own. */
export interface DaemonDialler {
  /** Connects. An abort rejects with the signal's reason and leaves no connection open. */
  dial(options: {
    /** Aborted when nobody wants the connection any more. */
    readonly signal?: AbortSignal | undefined;
  }): Promise<Transport>;
}

/** @throws TypeError when `daemon` cannot dial. */
export function checkDialler(daemon: DaemonDialler): void {
  if (typeof daemon?.dial === "function") return;
  throw new TypeError(`\`daemon\` must have a method \`dial\`, got ${describeType(daemon)}`);
}

/** A browser's `SharedWorker`. */
export interface SharedWorkerLike extends MessageSource {
  /** Leads to the worker. */
  readonly port: MessagePortLike;
}

/** How long a worker may take to accept a tab, in ms. It does so before it connects anywhere. */
const ACCEPT_MS = 10_000;

/**
 * Connects to the shared worker that `start` starts or finds, and whose program calls
 * `shareConnection`. If the browser has no shared workers, or this one does not answer, it connects
 * only this tab, by `daemon.dial`. Pass it as a client's `dial` option. Each call makes a new
 * `SharedWorker`, because a browser may have ended the earlier one.
 * @throws (rejects) TypeError when an argument is wrong; the signal's reason when it is aborted;
 * what `daemon.dial` throws.
 */
export async function dialShared(
  start: () => SharedWorkerLike,
  daemon: DaemonDialler,
  options: {
    /** An abort rejects with its reason and leaves no connection open. */
    readonly signal?: AbortSignal | undefined;
    /** The worker's name in messages; `shared connection` by default. */
    readonly address?: string | undefined;
  } = {},
): Promise<Transport> {
  if (typeof start !== "function") {
    throw new TypeError(`\`start\` must be a function, got ${describeType(start)}`);
  }
  checkDialler(daemon);
  checkOptions("options", options, ["signal", "address"]);
  const { signal, address = "shared connection" } = options;
  signal?.throwIfAborted();
  let worker: SharedWorkerLike;
  try {
    worker = start();
  } catch {
    // There are none here (a ReferenceError), or this page may not start one.
    return daemon.dial({ signal });
  }
  const attempt = new AbortController();
  const giveUp = (): void => attempt.abort(new Error("the shared worker does not answer"));
  const timer = realClock.after(ACCEPT_MS, giveUp);
  const leave = signal && onAbort(signal, () => attempt.abort(signal.reason));
  worker.addEventListener("error", giveUp);
  try {
    return await dialPort(worker.port, { signal: attempt.signal, address });
  } catch {
    signal?.throwIfAborted();
    return await daemon.dial({ signal });
  } finally {
    timer.cancel();
    leave?.();
    worker.removeEventListener("error", giveUp);
    worker.port.close();
  }
}
