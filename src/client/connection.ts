/** One connection to a daemon: frames in, frames out, and why it ended. */
import { ProtocolError } from "../errors/errors.js";
import type { Transport } from "../transport/transport.js";
import { FrameDecoder, FrameEncoder } from "../wire/framing.js";
import { type DaemonRequest, requestBody } from "../wire/requests.js";
import { type DaemonResponse, type MalformedReply, decodeResponse } from "../wire/responses.js";

/** What a connection tells its session. */
export interface ConnectionHandlers {
  /** Bytes came, before what they say. */
  onBytes?(): void;
  /** @param size length of the frame's body in bytes. */
  onResponse(response: DaemonResponse | MalformedReply, size: number): void;
  /** The connection is over; called exactly once, last. */
  onClose(error: Error | null): void;
}

/**
 * Frames over a transport. A frame that is malformed ends the connection: nothing after it counts.
 */
export class Connection {
  readonly #transport: Transport;
  readonly #decoder: FrameDecoder;
  readonly #encoder: FrameEncoder;
  #handlers: ConnectionHandlers | null;
  #closed = false;
  #failure: Error | null = null;
  /** Resolves when the transport is closed for good. */
  readonly closed: Promise<void>;
  #resolveClosed!: () => void;

  constructor(transport: Transport, maxMessageSize: number, handlers: ConnectionHandlers) {
    this.#transport = transport;
    this.#encoder = new FrameEncoder(maxMessageSize);
    this.#decoder = new FrameDecoder(maxMessageSize);
    this.#handlers = handlers;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  /** Begins; called exactly once, when the handlers may be called. */
  open(): void {
    this.#transport.open({
      onData: (chunk) => this.#onData(chunk),
      onClose: (error) => {
        this.#onClose(error);
        this.#resolveClosed();
      },
    });
  }

  /** Where the daemon is. */
  get address(): string {
    return this.#transport.address;
  }

  /**
   * Queues a request. Those of one turn leave together.
   * @throws RangeError when it is longer than a frame may be.
   */
  send(request: DaemonRequest): void {
    const isFirst = this.#encoder.length === 0;
    this.#encoder.add(requestBody(request));
    if (isFirst) queueMicrotask(() => this.#flush());
  }

  /** Resolves when what was queued has been handed to the system, or the connection is over. */
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

  /** Says nothing more to the handlers. */
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
