/** A connected TCP or Unix socket as a Transport, for both ends. */
import type { Socket } from "node:net";
import { type Timer } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { ConnectionLostError, InvalidStateError } from "../errors/errors.js";
import { LINGER_MS, WRITE_QUEUE_BYTES } from "../transport/limits.js";
import type { Transport, TransportHandlers } from "../transport/transport.js";
import { describeFailure } from "./node-failure.js";

/** Bytes that a dialled socket reads at once. */
const READ_BYTES = 32 * 1024;

/**
 * Memory that a dialled socket reads into, again and again. Without it Node allocates 64 KiB for
 * each read, however short the answer is.
 */
export class ReadMemory {
  /** Takes a chunk; returns whether to read on. */
  receive: ((chunk: Uint8Array) => boolean) | null = null;
  /** The option of `net.connect`. A runtime that does not know it emits "data" as usual. */
  readonly onread = {
    buffer: new Uint8Array(READ_BYTES),
    callback: (length: number, memory: Uint8Array): boolean => {
      // A copy, because the memory is read into again while a receiver still uses the chunk.
      const chunk = new Uint8Array(memory.buffer as ArrayBuffer, memory.byteOffset, length).slice();
      return this.receive?.(chunk) ?? true;
    },
  };
}

class SocketTransport implements Transport {
  readonly address: string;
  readonly #socket: Socket;
  /** Chunks that arrived before `open` or during a pause. */
  readonly #held: Uint8Array[] = [];
  readonly #waiting: (() => void)[] = [];
  #handlers: TransportHandlers | null = null;
  #paused = false;
  #destroyed = false;
  #ended = false;
  #sawEnd = false;
  #closed = false;
  #error: Error | null = null;
  #linger: Timer | null = null;

  constructor(socket: Socket, address: string, memory: ReadMemory | null) {
    if (memory) memory.receive = (chunk) => this.#receive(chunk);
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
      if (!this.#paused && this.#held.length === 0) this.end();
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
    if (this.#paused) return;
    if (this.#held.length > 0) this.#deliverHeld();
    else this.#socket.resume();
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

  /**
   * Hands `chunk` on, or holds it: a socket that is paused in the turn in which it was resumed reads
   * once more, and memory of our own does not pass through its stream, which would hold it.
   * @returns whether to read on.
   */
  #receive(chunk: Uint8Array): boolean {
    if (this.#destroyed) return false;
    if (this.#handlers === null || this.#paused || this.#held.length > 0) {
      this.#held.push(chunk);
      return false;
    }
    this.#handlers.onData(chunk);
    return !this.#paused;
  }

  /** Hands on what was held, then reads again; not from within `open` or `resume`. */
  #deliverHeld(): void {
    queueMicrotask(() => {
      while (this.#held.length > 0 && !this.#paused && !this.#destroyed) {
        this.#handlers!.onData(this.#held.shift()!);
      }
      if (this.#held.length > 0 || this.#paused) return;
      if (this.#sawEnd) this.end();
      this.#socket.resume();
    });
  }

  resume(): void {
    this.#paused = false;
    if (this.#held.length > 0) {
      if (this.#handlers !== null) this.#deliverHeld();
      return;
    }
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
    this.#held.length = 0;
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

/**
 * Makes a Transport from a connected socket. Small writes leave at once (TCP_NODELAY).
 * @param memory what the socket was dialled with; it is paused then.
 */
export function socketTransport(
  socket: Socket,
  address: string,
  memory: ReadMemory | null = null,
): Transport {
  return new SocketTransport(socket, address, memory);
}
