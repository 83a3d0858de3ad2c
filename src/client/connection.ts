/** One connection to a daemon: it reads and writes frames and reports why it ended. */
import { ProtocolError } from "../errors/errors.js";
import type { Transport } from "../transport/transport.js";
import { FrameDecoder, FrameEncoder } from "../wire/framing.js";
import { type DaemonRequest, requestBody } from "../wire/requests.js";
import { type DaemonResponse, type MalformedReply, decodeResponse } from "../wire/responses.js";

/** What a connection reports to its session. */
export interface ConnectionHandlers {
  /** Bytes arrived; called before they are decoded. */
  onBytes?(): void;
  /** @param size length of the frame's body in bytes. */
  onResponse(response: DaemonResponse | MalformedReply, size: number): void;
  /** The connection is over. Called exactly once, after all other calls. */
  onClose(error: Error | null): void;
}

/**
 * Frames over a transport. A malformed frame ends the connection, because nothing after it can be
 * trusted.
 */
export class Connection {
  readonly #transport: Transport;
  readonly #decoder: FrameDecoder;
  readonly #encoder: FrameEncoder;
  #handlers: ConnectionHandlers | null;
  #closed = false;
  #failure: Error | null = null;
  /** Resolves when the transport has closed. */
  readonly closed: Promise<void>;
  #resolveClosed!: () => void;

  constructor(transport: Transport, maxMessageSize: number, handlers: ConnectionHandlers) {
    this.#transport = transport;
    this.#encoder = new FrameEncoder(maxMessageSize);
    this.#decoder = new FrameDecoder(maxMessageSize);
    this.#handlers = handlers;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  /** Starts reading. Call it exactly once, when the handlers are ready. */
  open(): void {
    this.#transport.open({
      onData: (chunk) => this.#onData(chunk),
      onClose: (error) => {
        this.#onClose(error);
        this.#resolveClosed();
      },
    });
  }

  /** The daemon's address. */
  get address(): string {
    return this.#transport.address;
  }

  /**
   * Queues a request. Requests of one event-loop turn leave in one write.
   * @throws RangeError when the request is longer than a frame may be.
   */
  send(request: DaemonRequest): void {
    const isFirst = this.#encoder.length === 0;
    this.#encoder.add(requestBody(request));
    if (isFirst) queueMicrotask(() => this.#flush());
  }

  /**
   * Resolves when everything queued has been handed to the system, or when the connection is over.
   */
  async drained(): Promise<void> {
    this.#flush();
    await this.#transport.drained();
  }

  /** Sends what is queued, then closes. */
  end(): void {
    this.#flush();
    this.#closed = true;
    this.#transport.end();
  }

  /** Closes at once. */
  destroy(): void {
    this.#closed = true;
    this.#transport.destroy();
  }

  /** Stops all calls to the handlers. */
  silence(): void {
    this.#handlers = null;
  }

  #flush(): void {
    if (this.#encoder.length === 0) return;
    const frames = this.#encoder.take();
    if (!this.#closed) this.#transport.write(frames);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#failure) return;
    this.#handlers?.onBytes?.();
    try {
      this.#decoder.push(chunk, (body) => {
        const response = decodeResponse(body);
        if (response) this.#handlers?.onResponse(response, body.length);
      });
    } catch (error) {
      this.#failure =
        error instanceof ProtocolError
          ? error
          : new ProtocolError("a frame could not be read", { cause: error });
      this.destroy();
    }
  }

  #onClose(error: Error | null): void {
    this.#closed = true;
    let reason = this.#failure ?? error;
    if (!reason && !this.#decoder.atBoundary) {
      reason = new ProtocolError("the daemon hung up in the middle of a frame");
    }
    const handlers = this.#handlers;
    this.#handlers = null;
    handlers?.onClose(reason);
  }
}
