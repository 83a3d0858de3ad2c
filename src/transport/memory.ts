/** Transports inside one process: pairs of connected ends, and a listener that makes such pairs. */
import { checkOptions } from "../bytes/options.js";
import { ConnectError, ConnectionLostError } from "../errors/errors.js";
import { Inbox } from "./inbox.js";
import { WRITE_QUEUE_BYTES } from "./limits.js";
import type { Listener, Transport, TransportHandlers } from "./transport.js";

/** Options of a memory pair. */
export interface MemoryPairOptions {
  /**
   * Cuts written data into the chunks that arrive, to test that cuts do not matter; by default
   * chunks arrive as they were written.
   */
  readonly cut?: ((chunk: Uint8Array) => Iterable<Uint8Array>) | undefined;
  /** The address of both ends; default `memory`. */
  readonly address?: string | undefined;
}

/** One end of a pair. It delivers in microtasks, so no handler runs inside a `write`. */
export class MemoryTransport implements Transport {
  readonly address: string;
  readonly #cut: (chunk: Uint8Array) => Iterable<Uint8Array>;
  readonly #inbox = new Inbox();
  readonly #waiting: (() => void)[] = [];
  readonly #outgoing: Uint8Array[] = [];
  #queuedBytes = 0;
  #peer: MemoryTransport | null = null;
  #scheduled = false;
  #ended = false;
  #sentEnd = false;
  #gotEnd = false;

  /** @internal Ends are made in pairs by {@link memoryPair}. */
  constructor(options: MemoryPairOptions) {
    checkOptions("options", options, ["cut", "address"]);
    this.address = options.address ?? "memory";
    this.#cut = options.cut ?? ((chunk) => [chunk]);
  }

  /** @internal Connects two ends to each other. */
  static join(a: MemoryTransport, b: MemoryTransport): void {
    a.#peer = b;
    b.#peer = a;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  open(handlers: TransportHandlers): void {
    this.#inbox.open({
      onData: (chunk) => handlers.onData(chunk),
      onClose: (error) => {
        this.#letGo();
        handlers.onClose(error);
      },
    });
    this.#pull();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#ended || this.#inbox.ended || chunk.length === 0) return true;
    // A copy, as on a socket: the reader owns received data and may change it.
    for (const part of this.#cut(chunk.slice())) {
      if (part.length === 0) continue;
      this.#outgoing.push(part);
      this.#queuedBytes += part.length;
    }
    this.#schedule();
    return this.#queuedBytes < WRITE_QUEUE_BYTES;
  }

  drained(): Promise<void> {
    if (this.#queuedBytes < WRITE_QUEUE_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
    this.#pull();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#schedule();
  }

  destroy(): void {
    const peer = this.#peer;
    // As on a socket: closing with unread data resets the connection, otherwise it ends it.
    const unread = peer !== null && peer.#queuedBytes > 0;
    this.#abort(null);
    if (peer === null) return;
    peer.#cutOff(
      unread
        ? new ConnectionLostError(`${this.address}: the other end reset the connection`)
        : null,
    );
  }

  /** Breaks the connection for both ends, as a network failure would; `onClose` gets `error`. */
  fail(error: Error = new ConnectionLostError(`${this.address}: the connection broke`)): void {
    const peer = this.#peer;
    this.#abort(error);
    if (peer !== null) peer.#abort(error);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  // Delivers queued data to the other end, as long as that end accepts it. After this end has
  // closed, the other end must accept everything, as a system's buffers would, otherwise this end
  // could not close.
  #deliver(): void {
    const peer = this.#peer;
    if (peer === null) return;
    const takes = (): boolean => this.#gotEnd || !peer.#inbox.stopped;
    let next = 0;
    try {
      while (next < this.#outgoing.length && takes()) {
        const chunk = this.#outgoing[next++]!;
        this.#queuedBytes -= chunk.length;
        peer.#inbox.push(chunk);
      }
    } finally {
      this.#outgoing.splice(0, next);
      if (this.#outgoing.length > 0 && takes()) this.#schedule();
    }
    if (this.#queuedBytes < WRITE_QUEUE_BYTES) this.#release();
    if (!this.#ended || this.#sentEnd || this.#outgoing.length > 0 || !takes()) return;
    this.#sentEnd = true;
    if (this.#gotEnd) this.#inbox.close(null);
    peer.#takeEnd();
  }

  // The other end has ended: deliver what is queued here, then end too.
  #takeEnd(): void {
    this.#gotEnd = true;
    this.end();
    if (this.#sentEnd) this.#inbox.close(null);
  }

  #cutOff(error: Error | null): void {
    if (error !== null) {
      this.#abort(error);
      return;
    }
    this.#letGo();
    this.#inbox.close(null);
  }

  #abort(error: Error | null): void {
    this.#letGo();
    this.#inbox.abort(error);
  }

  #letGo(): void {
    this.#ended = true;
    this.#outgoing.length = 0;
    this.#queuedBytes = 0;
    this.#peer = null;
    this.#release();
  }

  #pull(): void {
    if (this.#peer !== null) this.#peer.#schedule();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Makes two ends that are connected to each other. */
export function memoryPair(options: MemoryPairOptions = {}): [MemoryTransport, MemoryTransport] {
  const a = new MemoryTransport(options);
  const b = new MemoryTransport(options);
  MemoryTransport.join(a, b);
  return [a, b];
}

/** A {@link Listener} that is dialled by a method call. */
export interface MemoryListener extends Listener {
  /**
   * Makes a new transport to the listener. As with sockets, it is already connected before `open`.
   * @throws ConnectError when the listener is closed; the signal's reason when it is aborted.
   */
  dial(options?: { readonly signal?: AbortSignal | undefined }): Promise<MemoryTransport>;
}

/** Makes a listener in memory; every pair that it makes gets `options`. */
export function memoryListener(options: MemoryPairOptions = {}): MemoryListener {
  const address = options.address ?? "memory";
  const early: Transport[] = [];
  let accept: ((transport: Transport) => void) | null = null;
  let closed = false;
  return {
    address,
    open(onTransport) {
      accept = onTransport;
      for (const transport of early.splice(0)) onTransport(transport);
    },
    close() {
      closed = true;
      for (const transport of early.splice(0)) transport.destroy();
      return Promise.resolve();
    },
    async dial({ signal } = {}) {
      signal?.throwIfAborted();
      if (closed) throw new ConnectError(`cannot connect to ${address}: nothing listens there`);
      const [near, far] = memoryPair(options);
      if (accept === null) early.push(far);
      else accept(far);
      return near;
    },
  };
}
