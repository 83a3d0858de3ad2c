/**
 * A pair of message ports as a stream of bytes, between a page and its worker or between threads of
 * Node: the way to a daemon that runs in the same browser.
 *
 * Each end posts pieces of bytes, and says how many it has delivered: at most {@link WINDOW_BYTES}
 * may be posted and not yet delivered, so a reader that is slow makes the writer wait.
 */
import { ConnectError, ConnectionLostError, ProtocolError } from "../errors/errors.js";
import { onAbort } from "../clock/on-abort.js";
import { Inbox } from "../transport/inbox.js";
import { WRITE_QUEUE_BYTES } from "../transport/limits.js";
import type { Listener, Transport, TransportHandlers } from "../transport/transport.js";

/** Takes an event of a port, each of which has `data`. */
// oxlint-disable-next-line typescript/no-explicit-any -- each platform has its own type of events
export type PortListener = (event: any) => void;

/** What browsers and Node have in common of a `MessagePort`, a `Worker` and a worker's own scope. */
export interface MessageEndpoint {
  /** Posts a message; what `transfer` names moves over. */
  postMessage(message: unknown, transfer: never[]): void;
  /** Hears of messages, and where the platform tells of it that the other end is gone. */
  addEventListener(type: string, listener: PortListener): void;
  /** Takes a listener back. */
  removeEventListener(type: string, listener: PortListener): void;
}

/** What ports come from: a worker's own scope, or a port. */
export type MessageSource = Pick<MessageEndpoint, "addEventListener" | "removeEventListener">;

/** A `MessagePort`, of a browser or of Node. */
export interface MessagePortLike extends MessageEndpoint {
  /** Lets messages come. */
  start(): void;
  /** Cuts the connection to the other port. */
  close(): void;
}

/** Longest piece that is posted, in bytes. */
const PIECE_BYTES = 256 * 1024;
/** Bytes that may be posted and not yet delivered. */
const WINDOW_BYTES = 1024 * 1024;

/** The words between two ends; all else is bytes, or how many were delivered. */
const END = "end";
const GONE = "gone";

interface PortEvent {
  readonly data?: unknown;
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
  /** Bytes that were posted, and that the other end has not delivered. */
  #undelivered = 0;
  /** Bytes that came, and that were not delivered here. */
  #held = 0;
  #ended = false;
  #sentEnd = false;
  /** The other end has said its last. */
  #peerEnded = false;
  #closed = false;

  constructor(port: MessagePortLike, address: string) {
    this.#port = port;
    this.address = address;
    port.addEventListener("message", ({ data }: PortEvent) => this.#take(data));
    port.addEventListener("messageerror", () => {
      this.#refuse("a message that cannot be read");
    });
    // Where the platform does not tell, a client's probes find out.
    port.addEventListener("close", () => {
      this.#finish(new ConnectionLostError(`${this.address}: the other end is gone`));
    });
    port.start();
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

  destroy(): void {
    this.#post(GONE);
    this.#inbox.abort(null);
    this.#letGo();
  }

  #flush(): void {
    while (this.#outgoing.length > 0 && this.#undelivered < WINDOW_BYTES) {
      // A copy, which moves over: the writer keeps its own, and may have it in a larger buffer.
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

  /** What the other end posted; it may be anything. */
  #take(message: unknown): void {
    if (this.#closed) return;
    if (isPiece(message)) this.#takePiece(message);
    else if (typeof message === "number") this.#takeCount(message);
    else if (message === END) {
      if (this.#peerEnded) return;
      this.#peerEnded = true;
      this.#answerEnd();
    } else if (message === GONE) {
      // As on a socket: what it did not read is lost, and the writer hears of that.
      const lost = this.queuedBytes > 0;
      const error = new ConnectionLostError(`${this.address}: the other end reset the connection`);
      if (lost) this.#inbox.abort(error);
      this.#finish(null);
    } else this.#refuse("a message that is not of a byte stream");
  }

  #takePiece(piece: Uint8Array): void {
    if (this.#peerEnded) {
      this.#refuse("bytes after its end");
      return;
    }
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

  /** When the user has seen all before it, the other end's end is answered with our own. */
  #answerEnd(): void {
    if (!this.#peerEnded || this.#inbox.stopped || this.#held > 0) return;
    this.end();
    this.#closeAfterBoth();
  }

  #closeAfterBoth(): void {
    if (!this.#sentEnd || !this.#peerEnded || this.#inbox.stopped || this.#held > 0) return;
    // The last bytes of ours are still to be read there; that end closes the port.
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
    this.#release();
  }

  #post(message: Uint8Array | number | string, transfer: ArrayBuffer[] = []): void {
    if (!this.#closed) this.#port.postMessage(message, transfer as never[]);
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Whether a message is a piece of bytes: memory of its own, and not more of it than is shown. */
function isPiece(message: unknown): message is Uint8Array<ArrayBuffer> {
  return (
    message instanceof Uint8Array &&
    message.buffer instanceof ArrayBuffer &&
    message.length > 0 &&
    message.length <= PIECE_BYTES &&
    message.buffer.byteLength === message.length
  );
}

/**
 * A stream of bytes over a message port, whose other port has the same done to it: in a worker, in
 * another tab, or in a thread of Node. The port belongs to the transport from then on.
 * @param port of a `MessageChannel`.
 * @param address what messages to people call the other end; `message port` unless given.
 */
export function messagePortTransport(port: MessagePortLike, address = "message port"): Transport {
  return new MessagePortTransport(port, address);
}

/** What a dialler's message is called, which has a port. */
const CONNECT = "katzenpost-thinclient connect";
/** What a listener posts into a port that it takes. */
const ACCEPTED = "accepted";

declare const MessageChannel: new () => {
  readonly port1: MessagePortLike;
  readonly port2: MessagePortLike;
};

/**
 * Connects to a {@link listenForPorts} at the other side of `target`: a worker, or a port that leads
 * to one. Fits a client's `dial` option.
 * @throws (rejects) ConnectError when the other side is gone; the signal's reason when that is
 * aborted. A worker that does not listen, or not yet, is waited for until then.
 */
export function dialPort(
  target: MessageEndpoint,
  options: {
    /** Aborting rejects with its reason and leaves no port behind. */
    readonly signal?: AbortSignal | undefined;
    /** What messages to people call the other end; `worker` unless given. */
    readonly address?: string | undefined;
  } = {},
): Promise<Transport> {
  const { signal, address = "worker" } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const { port1, port2 } = new MessageChannel();
    const settle = (): void => {
      leave?.();
      port1.removeEventListener("message", onMessage);
      port1.removeEventListener("close", onClose);
      target.removeEventListener("error", onError);
    };
    const fail = (error: unknown): void => {
      settle();
      port1.close();
      reject(error);
    };
    const onMessage = ({ data }: PortEvent): void => {
      if (data !== ACCEPTED) {
        fail(
          new ConnectError(`cannot connect to ${address}: it did not answer as a listener does`),
        );
        return;
      }
      settle();
      resolve(messagePortTransport(port1, address));
    };
    const onClose = (): void => {
      fail(new ConnectError(`cannot connect to ${address}: nothing listens there`));
    };
    const onError = (event: { readonly message?: unknown }): void => {
      const why = typeof event.message === "string" ? `: ${event.message}` : "";
      fail(new ConnectError(`cannot connect to ${address}: the worker failed${why}`));
    };
    const leave = signal && onAbort(signal, () => fail(signal.reason));
    port1.addEventListener("message", onMessage);
    port1.addEventListener("close", onClose);
    target.addEventListener("error", onError);
    port1.start();
    // The port of a shared worker is one that must be started.
    if ("start" in target) (target as MessagePortLike).start();
    target.postMessage({ type: CONNECT, port: port2 }, [port2 as never]);
  });
}

/**
 * Accepts what {@link dialPort} connects: `listenForPorts(self)` in a worker or a shared worker, at
 * the beginning of its program, before anything is awaited. For `Daemon.listen`.
 * @param source where the ports come from.
 * @param address what messages to people call the other end; `page` unless given.
 */
export function listenForPorts(source: MessageSource, address = "page"): Listener {
  const early: Transport[] = [];
  let accept: ((transport: Transport) => void) | null = null;
  const onMessage = ({ data }: PortEvent): void => {
    // A copy of what somebody posted, so only a real port has methods.
    const { type, port } = (data ?? {}) as { type?: unknown; port?: MessagePortLike };
    if (type !== CONNECT || typeof port?.postMessage !== "function") return;
    port.postMessage(ACCEPTED, []);
    const transport = messagePortTransport(port, address);
    if (accept === null) early.push(transport);
    else accept(transport);
  };
  const sources: MessageSource[] = [source];
  source.addEventListener("message", onMessage);
  // A shared worker hears of pages, each with a port of its own.
  const onConnect = ({ ports }: { readonly ports: readonly MessagePortLike[] }): void => {
    for (const port of ports) {
      sources.push(port);
      port.addEventListener("message", onMessage);
      port.start();
    }
  };
  source.addEventListener("connect", onConnect);
  return {
    address,
    open(onTransport) {
      accept = onTransport;
      for (const transport of early.splice(0)) onTransport(transport);
    },
    close() {
      source.removeEventListener("connect", onConnect);
      for (const one of sources) one.removeEventListener("message", onMessage);
      for (const transport of early.splice(0)) transport.destroy();
      return Promise.resolve();
    },
  };
}
