/** The contract between the protocol and the transport that carries its bytes. */

/** A transport's callbacks to its user. */
export interface TransportHandlers {
  /** Bytes arrived, in order, cut in any way. The handler owns the array. */
  onData(chunk: Uint8Array): void;
  /**
   * The transport is closed; called exactly once, last. `error` is null if the peer closed in an
   * orderly way or we closed.
   */
  onClose(error: Error | null): void;
}

/** An ordered, reliable stream of bytes in both directions. */
export interface Transport {
  /** The other end's address, for messages: `unix:/run/x.sock`, `tcp:127.0.0.1:64331`. */
  readonly address: string;
  /** Starts delivery; called exactly once. Data that arrived before is delivered then. */
  open(handlers: TransportHandlers): void;
  /**
   * Queues bytes after all earlier ones. Do not change the array afterwards. Returns false if the
   * queue is long: then wait for {@link drained} before queueing much more. Harmless after the
   * transport has closed.
   */
  write(chunk: Uint8Array): boolean;
  /** Resolves when the queue is short again, and when the transport closes. */
  drained(): Promise<void>;
  /** Bytes queued here and not yet passed to the system. */
  readonly queuedBytes: number;
  /** Stops delivery (the peer is slowed down) until {@link resume}. */
  pause(): void;
  /** Continues what {@link pause} stopped, in order; otherwise harmless. */
  resume(): void;
  /** Sends what is queued, then closes. Idempotent. */
  end(): void;
  /**
   * Closes at once; queued data is lost. Idempotent.
   * @param why told to the other end if the transport can carry it, as message ports can.
   */
  destroy(why?: string): void;
}

/** Something that accepts transports. */
export interface Listener {
  /**
   * The address where it listens, in the form of dial addresses; with the real port if 0 was
   * requested.
   */
  readonly address: string;
  /** Starts to accept connections; called exactly once. */
  open(onTransport: (transport: Transport) => void): void;
  /** Stops accepting and frees the address. Accepted transports stay open. Idempotent. */
  close(): Promise<void>;
}
