/**
 * A WebSocket as a stream of bytes. Binary messages are chunks of the stream, not frames; a text
 * message is refused with 1003. A close with 1000 or 1001 is an orderly end, any other is an error
 * (spec/thin-protocol §1.2).
 */
import { ConnectionLostError, ProtocolError } from "../errors/errors.js";
import { Inbox } from "./inbox.js";
import { WRITE_QUEUE_BYTES } from "./limits.js";
import type { Transport, TransportHandlers } from "./transport.js";

/** Close codes of RFC 6455 section 7.4.1. */
const NORMAL = 1000;
const GOING_AWAY = 1001;
const UNSUPPORTED_DATA = 1003;
const NO_STATUS = 1005;

/** What a platform's WebSocket must offer; it is already connected. */
export interface WebSocketPort {
  /** Bytes passed to {@link send} that have not left; after the close, those that never left. */
  readonly queuedBytes: number;
  send(chunk: Uint8Array): void;
  /** Starts the closing handshake, after queued data. */
  close(code: number): void;
  /** Closes as fast as the platform can. */
  terminate(): void;
  /** Makes the peer wait; no effect if the platform cannot do that. */
  pause(): void;
  resume(): void;
  /**
   * Calls back once when `queuedBytes` is below the limit. It may call back early, but always calls
   * back.
   */
  onceDrained(limit: number, callback: () => void): void;
}

/** A {@link Transport} over a {@link WebSocketPort}, which reports to the `on…` methods. */
export class WebSocketTransport implements Transport {
  readonly address: string;
  readonly #port: WebSocketPort;
  readonly #inbox = new Inbox();
  readonly #waiting: (() => void)[] = [];
  #ended = false;

  constructor(port: WebSocketPort, address: string) {
    this.#port = port;
    this.address = address;
    port.pause();
  }

  get queuedBytes(): number {
    return this.#inbox.ended ? 0 : this.#port.queuedBytes;
  }

  /** Received bytes that wait for delivery. */
  get heldBytes(): number {
    return this.#inbox.heldBytes;
  }

  open(handlers: TransportHandlers): void {
    this.#inbox.open(handlers);
    if (!this.#inbox.stopped) this.#port.resume();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#ended || this.#inbox.ended || chunk.length === 0) return true;
    this.#port.send(chunk);
    return this.#port.queuedBytes < WRITE_QUEUE_BYTES;
  }

  drained(): Promise<void> {
    if (this.queuedBytes < WRITE_QUEUE_BYTES) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#watch();
    });
  }

  pause(): void {
    this.#inbox.pause();
    this.#port.pause();
  }

  resume(): void {
    this.#inbox.resume();
    if (!this.#inbox.stopped) this.#port.resume();
  }

  end(): void {
    if (this.#ended || this.#inbox.ended) return;
    this.#ended = true;
    this.#port.close(NORMAL);
  }

  destroy(): void {
    this.#ended = true;
    this.#inbox.abort(null);
    this.#port.terminate();
    this.#release();
  }

  /** A binary message, or a part of one, arrived. */
  onBinary(chunk: Uint8Array): void {
    this.#inbox.push(chunk);
  }

  /** A text message arrived. */
  onText(): void {
    this.#finish(
      new ProtocolError(
        `${this.address} sent a text message; only binary messages carry the stream`,
      ),
    );
    this.#port.close(UNSUPPORTED_DATA);
  }

  /** The platform gave up the connection. */
  onFailure(error: Error): void {
    this.#finish(error);
    this.#port.terminate();
  }

  /** The WebSocket was closed with that code. `cause` is an earlier error of the platform. */
  onClosed(code: number, cause?: Error): void {
    const orderly = code === NORMAL || code === GOING_AWAY;
    // Our own close is not an error, however the peer answers it, unless data is lost.
    const asked = this.#ended && (code === NO_STATUS || this.#port.queuedBytes === 0);
    if (orderly || asked) {
      this.#finish(null);
      return;
    }
    const why = cause === undefined ? "" : `: ${cause.message}`;
    this.#finish(
      new ConnectionLostError(`${this.address} closed the WebSocket with code ${code}${why}`, {
        cause,
      }),
    );
  }

  #finish(error: Error | null): void {
    this.#inbox.close(error);
    this.#release();
  }

  #watch(): void {
    this.#port.onceDrained(WRITE_QUEUE_BYTES, () => {
      if (this.queuedBytes < WRITE_QUEUE_BYTES) this.#release();
      else this.#watch();
    });
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
