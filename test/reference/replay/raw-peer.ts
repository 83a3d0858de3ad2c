/** One end of a connection without rules of its own: it sends and receives frames. */
import type { Transport } from "../../../src/transport/transport.js";
import { FrameDecoder } from "../../../src/wire/framing.js";

/** Plays a client or a daemon that sends whatever the test wants. */
export class RawPeer {
  readonly #transport: Transport;
  readonly #decoder = new FrameDecoder();
  readonly #bodies: Uint8Array[] = [];
  #waiting: (() => void)[] = [];
  #closed = false;
  #patience = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.open({
      onData: (chunk) => {
        this.#decoder.push(chunk, (body) => this.#bodies.push(body.slice()));
        this.#wake();
      },
      onClose: () => {
        this.#closed = true;
        this.#wake();
      },
    });
  }

  /** Whether the other end hung up. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Sends a frame; its length prefix may be wrong. */
  send(body: Uint8Array, prefix: number = body.length): void {
    const frame = new Uint8Array(4 + body.length);
    new DataView(frame.buffer).setUint32(0, prefix);
    frame.set(body, 4);
    this.#transport.write(frame);
  }

  /** The body of the next frame; null if the other end hung up, or if none arrives within `ms`. */
  async next(ms: number): Promise<Uint8Array | null> {
    const end = Date.now() + ms;
    const patience = this.#patience;
    while (this.#bodies.length === 0 && !this.#closed) {
      const left = end - Date.now();
      if (left <= 0 || patience !== this.#patience) return null;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.#bodies.shift() ?? null;
  }

  /** Ends all waits for a frame. */
  cancelNext(): void {
    this.#patience++;
    this.#wake();
  }

  /** Disconnects without a message. */
  drop(): void {
    this.#transport.destroy();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
