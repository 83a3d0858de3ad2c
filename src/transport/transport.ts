/** The contract between the protocol and whatever carries its bytes. */

/** What a transport tells its user. */
export interface TransportHandlers {
  /** Bytes came, in order; how they are cut means nothing. The array belongs to the handler. */
  onData(chunk: Uint8Array): void;
  /**
   * The transport is closed; called exactly once, last. `error` is null when the peer closed in an
   * orderly way or when we closed.
   */
  onClose(error: Error | null): void;
}

/** An ordered, reliable stream of bytes in both directions. */
export interface Transport {
  /** Where the other end is, for messages to people: `unix:/run/x.sock`, `tcp:127.0.0.1:64331`. */
  readonly address: string;
  /** Begins delivery; called exactly once. What came before is delivered then. */
  open(handlers: TransportHandlers): void;
  /**
   * Queues bytes to be sent, after all earlier ones. The array must not be changed afterwards.
   * Returns false when the queue is long: then wait for {@link drained} before queueing much more.
   * Harmless after the transport closed.
   */
  write(chunk: Uint8Array): boolean;
  /** Resolves when the queue is short again, and when the transport closes. */
  drained(): Promise<void>;
  /** Bytes queued here and not yet handed to the system. */
  readonly queuedBytes: number;
  /** Stops delivery (the peer is slowed down) until {@link resume}. */
  pause(): void;
  /** Goes on with what {@link pause} stopped, in order; harmless without that. */
  resume(): void;
  /** Sends what is queued, then closes. Idempotent. */
  end(): void;
  /** Closes at once; what is queued is lost. Idempotent. */
  destroy(): void;
}

/** Something that accepts transports. */
export interface Listener {
  /**
   * Where it listens, as `DIAL` addresses name it; the port is the real one even if 0 was asked.
   */
  readonly address: string;
  /** Begins accepting; called exactly once. */
  open(onTransport: (transport: Transport) => void): void;
  /** Stops accepting and frees the address. Transports already accepted live on. Idempotent. */
  close(): Promise<void>;
}
