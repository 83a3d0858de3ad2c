/** A `ws` WebSocket as a Transport, for both ends. */
import type { RawData, WebSocket } from "ws";
import { LINGER_MS } from "../transport/limits.js";
import type { Transport } from "../transport/transport.js";
import { realClock } from "../clock/real.js";
import { type WebSocketPort, WebSocketTransport } from "../transport/websocket.js";

class NodeWebSocketPort implements WebSocketPort {
  readonly #socket: WebSocket;
  #queuedBytes = 0;
  #limit = 0;
  #onDrained: (() => void) | null = null;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  send(chunk: Uint8Array): void {
    this.#queuedBytes += chunk.length;
    this.#socket.send(chunk, { binary: true, compress: false }, (error) => {
      // Failed bytes stay counted, because they never left.
      if (error) return;
      this.#queuedBytes -= chunk.length;
      if (this.#onDrained !== null && this.#queuedBytes < this.#limit) {
        const callback = this.#onDrained;
        this.#onDrained = null;
        callback();
      }
    });
  }

  close(code: number): void {
    // A paused socket would never see the peer's answer.
    this.#socket.resume();
    this.#socket.close(code);
    const timer = realClock.after(LINGER_MS, () => this.#hurry(), { background: true });
    this.#socket.once("close", () => timer.cancel());
  }

  terminate(): void {
    this.#socket.terminate();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  onceDrained(limit: number, callback: () => void): void {
    this.#limit = limit;
    this.#onDrained = callback;
  }

  // As long as bytes leave, the peer is alive and may take its time.
  #hurry(): void {
    if (this.#queuedBytes === 0) this.#socket.terminate();
  }
}

/** Makes a Transport from a connected WebSocket. Its `binaryType` becomes `fragments`. */
export function webSocketTransport(socket: WebSocket, address: string): Transport {
  // Fragments are delivered directly; every other type joins them into one array first.
  socket.binaryType = "fragments";
  const transport = new WebSocketTransport(new NodeWebSocketPort(socket), address);
  let complaint: Error | undefined;
  socket.on("error", (error) => {
    complaint = error;
  });
  socket.on("message", (data: RawData, isBinary) => {
    if (!isBinary) {
      transport.onText();
      return;
    }
    for (const part of data as Buffer[]) {
      transport.onBinary(new Uint8Array(part.buffer as ArrayBuffer, part.byteOffset, part.length));
    }
  });
  socket.on("close", (code) => transport.onClosed(code, complaint));
  return transport;
}
