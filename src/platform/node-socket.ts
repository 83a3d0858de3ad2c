/** A connected TCP or Unix socket as a Transport, for both ends. */
import type { Socket } from "node:net";
import { type Timer } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { ConnectionLostError, InvalidStateError } from "../errors/errors.js";
import { LINGER_MS, WRITE_QUEUE_BYTES } from "../transport/limits.js";
import type { Transport, TransportHandlers } from "../transport/transport.js";
import { describeFailure } from "./node-failure.js";

class SocketTransport implements Transport {
  readonly address: string;
  readonly #socket: Socket;
  readonly #waiting: (() => void)[] = [];
  #handlers: TransportHandlers | null = null;
  #paused = false;
  #destroyed = false;
  #ended = false;
  #sawEnd = false;
  #closed = false;
  #error: Error | null = null;
  #linger: Timer | null = null;

  constructor(socket: Socket, address: string) {
    this.#socket = socket;
    this.address = address;
    socket.setNoDelay(true);
    // We answer the peer's end ourselves, because while paused we have not seen it yet.
    socket.allowHalfOpen = true;
    socket.on("error", (error) => {
      this.#error ??= error;
    });
    socket.on("end", () => {
      this.#sawEnd = true;
      if (!this.#paused) this.end();
    });
    socket.on("drain", () => this.#release());
    socket.on("finish", () => {
      this.#release();
      // The peer may never answer our goodbye.
      this.#linger = realClock.after(LINGER_MS, () => socket.destroy(), { background: true });
    });
    socket.on("close", () => this.#onClose());
  }

  get queuedBytes(): number {
    return this.#closed ? 0 : this.#socket.writableLength;
  }

  open(handlers: TransportHandlers): void {
    if (this.#handlers !== null) throw new InvalidStateError("the transport is already open");
    this.#handlers = handlers;
    if (this.#closed) {
      queueMicrotask(() => handlers.onClose(this.#reason()));
      return;
    }
    this.#socket.on("data", (chunk: Buffer) => {
      handlers.onData(
        new Uint8Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.byteLength),
      );
    });
    if (!this.#paused) this.#socket.resume();
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#socket.writable || chunk.length === 0) return true;
    this.#socket.write(chunk);
    return this.#socket.writableLength < WRITE_QUEUE_BYTES;
  }

  drained(): Promise<void> {
    if (this.queuedBytes < WRITE_QUEUE_BYTES) return Promise.resolve();
    // The limit is above the stream's own high-water mark, so a "drain" is certain to follow.
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#sawEnd) this.end();
    // Before `open` nobody listens, and a flowing stream would lose its data.
    if (this.#handlers !== null) this.#socket.resume();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.end();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#ended = true;
    this.#socket.destroy();
  }

  #onClose(): void {
    this.#closed = true;
    this.#linger?.cancel();
    this.#release();
    this.#handlers?.onClose(this.#reason());
  }

  #reason(): Error | null {
    if (this.#destroyed || this.#sawEnd || this.#error === null) return null;
    // After `end`, how the peer closes does not matter, unless it did not get everything.
    if (this.#ended && this.#socket.writableFinished) return null;
    const message = `${this.address}: ${describeFailure(this.#error)}`;
    return new ConnectionLostError(message, { cause: this.#error });
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Makes a Transport from a connected socket. Small writes leave at once (TCP_NODELAY). */
export function socketTransport(socket: Socket, address: string): Transport {
  return new SocketTransport(socket, address);
}
