/**
 * A pair of message ports as a stream of bytes, between a page and its worker or between Node's
 * threads. It connects to a daemon in the same browser.
 *
 * Each end posts pieces of bytes, and reports how many bytes it has delivered. It posts a piece
 * only while fewer than {@link WINDOW_BYTES} are not yet delivered, so a slow reader makes the
 * writer wait.
 */
import { isArrayBuffer, isBytes, randomBytes, toHex } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import { ConnectError, ConnectionLostError, ProtocolError } from "../errors/errors.js";
import { onAbort } from "../clock/on-abort.js";
import { realClock } from "../clock/real.js";
import { Inbox } from "../transport/inbox.js";
import { WRITE_QUEUE_BYTES } from "../transport/limits.js";
import type { Listener, Transport, TransportHandlers } from "../transport/transport.js";

/** Takes an event of a port, each of which has `data`. */
// oxlint-disable-next-line typescript/no-explicit-any -- each platform has its own type of events
export type PortListener = (event: any) => void;

/**
 * The common interface of a `MessagePort`, a `Worker` and a worker's global scope, in browsers and
 * in Node.
 */
export interface MessageEndpoint {
  /** Posts a message; objects in `transfer` are moved. */
  postMessage(message: unknown, transfer: never[]): void;
  /**
   * Adds a listener for messages and, if the platform supports it, for the end of the other side.
   */
  addEventListener(type: string, listener: PortListener): void;
  /** Removes a listener. */
  removeEventListener(type: string, listener: PortListener): void;
}

/** The source of ports: a worker's global scope, or a port. */
export type MessageSource = Pick<MessageEndpoint, "addEventListener" | "removeEventListener">;

/** A `MessagePort` of a browser or of Node. */
export interface MessagePortLike extends MessageEndpoint {
  /** Starts to receive messages. */
  start(): void;
  /** Closes the connection to the other port. */
  close(): void;
}

/** Longest piece that is posted, in bytes. */
const PIECE_BYTES = 256 * 1024;
/** From this many bytes that are posted and not yet delivered, no further piece is posted. */
const WINDOW_BYTES = 1024 * 1024;

/** The control messages between two ends; all others are bytes, or a count of delivered bytes. */
const END = "end";
const GONE = "gone";
/** Longest reason that is told with {@link GONE}, in characters. */
const WHY_LENGTH = 1000;

interface PortEvent {
  readonly data?: unknown;
}

/** The part of the Web Locks API that is used. Browsers have it where a page came by HTTPS. */
interface Locks {
  request(name: string, callback: () => Promise<void> | void): Promise<void>;
}

/** The part of a browser's global scope that is used here. */
interface BrowserScope extends Partial<MessageSource> {
  readonly navigator?: { readonly locks?: Locks };
}
const page = globalThis as unknown as BrowserScope;
/** In browsers only: elsewhere a port tells when its other end is gone. */
const locks = page.addEventListener === undefined ? undefined : page.navigator?.locks;

/** A lock that lasts as long as its holder, however that ends. */
interface HeldLock {
  readonly name: string;
  release(): void;
}

/** Takes a lock under a name of its own; null if that is not possible here. */
function takeLock(): Promise<HeldLock | null> {
  if (locks === undefined) return Promise.resolve(null);
  const name = `katzenpost-thinclient ${toHex(randomBytes(16))}`;
  return new Promise((resolve) => {
    const hold = (): Promise<void> =>
      new Promise((release) => resolve({ name, release: () => release() }));
    locks.request(name, hold).catch(() => resolve(null));
  });
}

/** How long what an end posted may still be on its way when its lock is free, in ms. */
const LAST_MESSAGES_MS = 1000;

/** What somebody wants to know of an end. */
interface PortWatcher {
  /** Called when the first bytes come. */
  onFirstBytes?(): void;
  /** Called once the connection has ended. */
  onEnd?(): void;
}

/** One end of a pair of ports. */
class MessagePortTransport implements Transport {
  readonly address: string;
  readonly #port: MessagePortLike;
  readonly #inbox = new Inbox();
  readonly #waiting: (() => void)[] = [];
  readonly #outgoing: Uint8Array[] = [];
  /** Bytes in {@link #outgoing}. */
  #unposted = 0;
  /** Bytes that were posted and that the other end has not delivered. */
  #undelivered = 0;
  /** Bytes that arrived and were not delivered here. */
  #held = 0;
  #ended = false;
  #sentEnd = false;
  /** Whether the other end has ended. */
  #peerEnded = false;
  #closed = false;
  /** Whether any bytes came: an end that goes before that was never connected. */
  #received = false;
  /**
   * Not every browser tells the other end that a page is gone. A page that comes back from the
   * cache of pages finds its connection lost, and its client reconnects.
   */
  readonly #onPageHide = (): void => this.destroy();

  readonly #watcher: PortWatcher;

  constructor(port: MessagePortLike, address: string, watcher: PortWatcher = {}) {
    this.#port = port;
    this.address = address;
    this.#watcher = watcher;
    port.addEventListener("message", ({ data }: PortEvent) => this.#take(data));
    port.addEventListener("messageerror", () => {
      this.#refuse("a message that cannot be read");
    });
    // Browsers do not report it: see `endWith`, and a client's probes.
    port.addEventListener("close", () => this.#peerGone());
    port.start();
    page.addEventListener?.("pagehide", this.#onPageHide);
  }

  get queuedBytes(): number {
    return this.#unposted + this.#undelivered;
  }

  open(handlers: TransportHandlers): void {
    this.#inbox.open({
      onData: (chunk) => {
        this.#held -= chunk.length;
        this.#post(chunk.length);
        try {
          handlers.onData(chunk);
        } finally {
          this.#answerEnd();
        }
      },
      onClose: (error) => handlers.onClose(error),
    });
    this.#answerEnd();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#ended || this.#inbox.ended || chunk.length === 0) return true;
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      this.#outgoing.push(chunk.subarray(at, at + PIECE_BYTES));
    }
    this.#unposted += chunk.length;
    this.#flush();
    return this.queuedBytes < WRITE_QUEUE_BYTES;
  }

  drained(): Promise<void> {
    if (this.queuedBytes < WRITE_QUEUE_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
    this.#answerEnd();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#flush();
  }

  destroy(why?: string): void {
    this.#post(why === undefined ? GONE : { [GONE]: why.slice(0, WHY_LENGTH) });
    this.#inbox.abort(null);
    this.#letGo();
  }

  /** Ends the connection, because the other end will never serve it. */
  fail(error: Error): void {
    this.#post(GONE);
    this.#finish(error);
  }

  /** Ends the connection soon after the other end's lock is free, because that end is gone. */
  endWith(lock: string): void {
    const gone = (): void => {
      realClock.after(LAST_MESSAGES_MS, () => this.#peerGone(), { background: true });
    };
    locks?.request(lock, gone).catch(() => {});
  }

  #peerGone(): void {
    this.#finish(new ConnectionLostError(`${this.address}: the other end is gone`));
  }

  #flush(): void {
    while (this.#outgoing.length > 0 && this.#undelivered < WINDOW_BYTES) {
      // A copy, which is transferred: the writer keeps its own, which may be part of a larger
      // buffer.
      const piece = this.#outgoing.shift()!.slice();
      this.#unposted -= piece.length;
      this.#undelivered += piece.length;
      this.#post(piece, [piece.buffer]);
    }
    if (!this.#ended || this.#sentEnd || this.#outgoing.length > 0) return;
    this.#sentEnd = true;
    this.#post(END);
    this.#closeAfterBoth();
  }

  /** Handles a message of the other end; it may be anything. */
  #take(message: unknown): void {
    if (this.#closed) return;
    if (isPiece(message)) this.#takePiece(message);
    else if (typeof message === "number") this.#takeCount(message);
    else if (message === END) {
      if (this.#peerEnded) return;
      this.#peerEnded = true;
      this.#answerEnd();
    } else if (message === GONE) {
      // As on a socket: unread data is lost, and the writer gets an error.
      const lost = this.queuedBytes > 0;
      const error = new ConnectionLostError(`${this.address}: the other end reset the connection`);
      if (lost) this.#inbox.abort(error);
      this.#finish(null);
    } else if (isReason(message)) {
      const Failure = this.#received ? ConnectionLostError : ConnectError;
      this.#finish(new Failure(`${this.address}: ${message[GONE]}`));
    } else this.#refuse("a message that is not of a byte stream");
  }

  #takePiece(piece: Uint8Array): void {
    if (this.#peerEnded) {
      this.#refuse("bytes after its end");
      return;
    }
    if (!this.#received) this.#watcher.onFirstBytes?.();
    this.#received = true;
    this.#held += piece.length;
    if (this.#held > WINDOW_BYTES + PIECE_BYTES) this.#refuse("more bytes than it was allowed");
    else this.#inbox.push(piece);
  }

  #takeCount(delivered: number): void {
    if (!Number.isInteger(delivered) || delivered < 1 || delivered > this.#undelivered) {
      this.#refuse("a wrong count of delivered bytes");
      return;
    }
    this.#undelivered -= delivered;
    this.#flush();
    if (this.queuedBytes < WRITE_QUEUE_BYTES) this.#release();
    this.#closeAfterBoth();
  }

  /** Once the user has received everything before it, answers the other end's end with our own. */
  #answerEnd(): void {
    if (!this.#peerEnded || this.#inbox.stopped || this.#held > 0) return;
    this.end();
    this.#closeAfterBoth();
  }

  #closeAfterBoth(): void {
    if (!this.#sentEnd || !this.#peerEnded || this.#inbox.stopped || this.#held > 0) return;
    // The other end still has to read our last bytes; it closes the port.
    if (this.#undelivered > 0) return;
    this.#finish(null);
  }

  #refuse(what: string): void {
    this.#post(GONE);
    this.#inbox.abort(new ProtocolError(`${this.address} sent ${what}`));
    this.#letGo();
  }

  #finish(error: Error | null): void {
    if (this.#closed) return;
    this.#inbox.close(error);
    this.#letGo();
  }

  #letGo(): void {
    this.#closed = true;
    this.#ended = true;
    this.#outgoing.length = 0;
    this.#unposted = 0;
    this.#undelivered = 0;
    this.#port.close();
    page.removeEventListener?.("pagehide", this.#onPageHide);
    this.#release();
    this.#watcher.onEnd?.();
  }

  #post(message: Uint8Array | number | string | object, transfer: ArrayBuffer[] = []): void {
    if (!this.#closed) this.#port.postMessage(message, transfer as never[]);
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Whether a message is a piece of bytes that owns all of its memory. */
function isPiece(message: unknown): message is Uint8Array<ArrayBuffer> {
  return (
    isBytes(message) &&
    isArrayBuffer(message.buffer) &&
    message.length > 0 &&
    message.length <= PIECE_BYTES &&
    message.buffer.byteLength === message.length
  );
}

/** Whether a message says that the other end is gone, and why. */
function isReason(message: unknown): message is { readonly [GONE]: string } {
  const why = (message as { readonly [GONE]?: unknown } | null | undefined)?.[GONE];
  return typeof why === "string" && why.length <= WHY_LENGTH;
}

/**
 * A stream of bytes over a message port, whose other port must be wrapped in the same way: in a
 * worker, in another tab, or in a Node thread. The transport owns the port from then on.
 * @param port of a `MessageChannel`.
 * @param address the other end's name in messages; `message port` by default.
 */
export function messagePortTransport(port: MessagePortLike, address = "message port"): Transport {
  return new MessagePortTransport(port, address);
}

/** The name of a dialler's message, which contains a port. */
const CONNECT = "katzenpost-thinclient connect";
/** A listener posts this into a port that it accepts. */
const ACCEPTED = "accepted";

/** Says that a worker's program failed, as its `error` or `unhandledrejection` event tells it. */
function workerFailed(event: { readonly message?: unknown; readonly reason?: unknown }): string {
  const { message, reason } = event;
  if (typeof message === "string" && message !== "") return `its program failed: ${message}`;
  if (reason instanceof Error) return `its program failed: ${String(reason)}`;
  return "its program failed and does not say why";
}

declare const MessageChannel: new () => {
  readonly port1: MessagePortLike;
  readonly port2: MessagePortLike;
};

/**
 * Connects to a {@link listenForPorts} on the other side of `target`: a worker, or a port that
 * leads to one. Pass it as a client's `dial` option.
 * @throws (rejects) ConnectError when the other side is gone, or its program has failed; the
 * signal's reason when it is aborted. A worker that does not listen (yet) is waited for until then.
 * TypeError, at once, for an unknown option.
 */
export function dialPort(
  target: MessageEndpoint,
  options: {
    /** An abort rejects with its reason and leaves no port open. */
    readonly signal?: AbortSignal | undefined;
    /** The other end's name in messages; `worker` by default. */
    readonly address?: string | undefined;
  } = {},
): Promise<Transport> {
  checkOptions("options", options, ["signal", "address"]);
  const { signal, address = "worker" } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const { port1, port2 } = new MessageChannel();
    let lock: HeldLock | null = null;
    let isSettled = false;
    let transport: MessagePortTransport | null = null;
    const settle = (): void => {
      isSettled = true;
      leave?.();
      port1.removeEventListener("message", onMessage);
      port1.removeEventListener("close", onClose);
    };
    const ignoreErrors = (): void => target.removeEventListener("error", onError);
    const fail = (error: unknown): void => {
      settle();
      ignoreErrors();
      lock?.release();
      port1.close();
      reject(error);
    };
    const failure = (why: string): Error =>
      new ConnectError(`cannot connect to ${address}: ${why}`);
    const onMessage = ({ data }: PortEvent): void => {
      if (isReason(data)) fail(failure(data[GONE]));
      else if (data !== ACCEPTED) fail(failure("it did not answer as a listener does"));
      else {
        settle();
        transport = new MessagePortTransport(port1, address, {
          onFirstBytes: ignoreErrors,
          onEnd() {
            ignoreErrors();
            lock?.release();
          },
        });
        resolve(transport);
      }
    };
    const onClose = (): void => fail(failure("nothing listens there"));
    const onError = (event: object): void => {
      const error = failure(workerFailed(event));
      if (transport === null) fail(error);
      else transport.fail(error);
    };
    const leave = signal && onAbort(signal, () => fail(signal.reason));
    port1.addEventListener("message", onMessage);
    port1.addEventListener("close", onClose);
    target.addEventListener("error", onError);
    port1.start();
    // The port of a shared worker must be started.
    if ("start" in target) (target as MessagePortLike).start();
    const connect = (held: HeldLock | null): void => {
      lock = held;
      if (isSettled) held?.release();
      else target.postMessage({ type: CONNECT, port: port2, lock: held?.name }, [port2 as never]);
    };
    if (locks === undefined) connect(null);
    else takeLock().then(connect).catch(fail);
  });
}

/**
 * Accepts the connections of {@link dialPort}: call `listenForPorts(self)` at the beginning of a
 * worker's or shared worker's program, before any await. Pass it to `Daemon.listen`. Until then pages
 * wait. If the program fails meanwhile, their connections end with a ConnectError that says why.
 * @param source where the ports come from.
 * @param address the other end's name in messages; `page` by default.
 */
export function listenForPorts(source: MessageSource, address = "page"): Listener {
  const early = new Set<MessagePortTransport>();
  let accept: ((transport: Transport) => void) | null = null;
  /** Why nobody serves, as far as this is known. */
  let failed: string | null = null;
  const onMessage = ({ data }: PortEvent): void => {
    // A copy of a posted message, so only a real port has methods.
    const { type, port, lock } = (data ?? {}) as {
      type?: unknown;
      port?: MessagePortLike;
      lock?: unknown;
    };
    if (type !== CONNECT || typeof port?.postMessage !== "function") return;
    if (failed === null) port.postMessage(ACCEPTED, []);
    const transport = new MessagePortTransport(port, address);
    if (typeof lock === "string") transport.endWith(lock);
    if (failed !== null) transport.destroy(failed);
    else if (accept === null) early.add(transport);
    else accept(transport);
  };
  // A shared worker's errors reach only itself, so pages are told through their ports.
  const onFailure = (event: object): void => {
    failed = workerFailed(event);
    for (const transport of early) transport.destroy(failed);
    early.clear();
  };
  const ignoreFailures = (): void => {
    source.removeEventListener("error", onFailure);
    source.removeEventListener("unhandledrejection", onFailure);
  };
  source.addEventListener("error", onFailure);
  source.addEventListener("unhandledrejection", onFailure);
  const sources = new Set<MessageSource>([source]);
  source.addEventListener("message", onMessage);
  // A shared worker gets an event for each page, with a separate port.
  const onConnect = ({ ports }: { readonly ports: readonly MessagePortLike[] }): void => {
    for (const port of ports) {
      sources.add(port);
      port.addEventListener("message", onMessage);
      port.addEventListener("close", () => sources.delete(port));
      port.start();
    }
  };
  source.addEventListener("connect", onConnect);
  return {
    address,
    open(onTransport) {
      accept = onTransport;
      ignoreFailures();
      failed = null;
      const waiting = [...early];
      early.clear();
      for (const transport of waiting) onTransport(transport);
    },
    close() {
      source.removeEventListener("connect", onConnect);
      for (const one of sources) one.removeEventListener("message", onMessage);
      ignoreFailures();
      for (const transport of early) transport.destroy();
      early.clear();
      return Promise.resolve();
    },
  };
}
