/** A connection between client and daemon that can break in every way. */
import type { Transport, TransportHandlers } from "../../../src/transport/transport.js";

/** The client's end of a connection, with faults. */
export class FaultyLine implements Transport {
  readonly #inner: Transport;
  #handlers: TransportHandlers | null = null;
  /** The data that arrived while the reader was slow, and whether the end arrived too. */
  #kept: Uint8Array[] = [];
  #keptEnd: { readonly error: Error | null } | null = null;
  #stalled = false;
  #hung = false;
  #cut: "up" | "down" | null = null;
  /** How many chunks still pass before the cut. */
  #before = 0;
  /** Whether the connection is broken, although the ends may not have noticed yet. */
  #broken = false;
  #closed = false;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  get address(): string {
    return this.#inner.address;
  }

  get queuedBytes(): number {
    return this.#inner.queuedBytes;
  }

  /** Whether data from the daemon arrives. */
  get isSound(): boolean {
    return !this.#stalled && !this.#hung && !this.#broken && !this.#closed;
  }

  /** Whether the connection is set to break in the middle of a later chunk. */
  get isCracked(): boolean {
    return this.#cut !== null;
  }

  open(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#inner.open({
      onData: (chunk) => this.#onData(chunk),
      onClose: (error) => {
        if (this.#hung || this.#stalled) this.#keptEnd = { error };
        else this.#close(error);
      },
    });
  }

  write(chunk: Uint8Array): boolean {
    if (this.#hung) return true;
    if (this.#cut !== "up" || this.#before-- > 0) return this.#inner.write(chunk);
    this.#cut = null;
    this.#broken = true;
    this.#inner.write(chunk.subarray(0, Math.ceil(chunk.length / 2)));
    this.#inner.end();
    return true;
  }

  drained(): Promise<void> {
    return this.#inner.drained();
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  end(): void {
    if (!this.#hung) this.#inner.end();
  }

  destroy(): void {
    this.#inner.destroy();
    queueMicrotask(() => this.#close(null));
  }

  /** While the reader is slow, arriving data waits. */
  stall(stalled: boolean): void {
    this.#stalled = stalled;
    if (stalled || this.#hung) return;
    const kept = this.#kept;
    this.#kept = [];
    for (const chunk of kept) this.#onData(chunk);
    if (this.#keptEnd) this.#close(this.#keptEnd.error);
  }

  /** From now on no data passes and neither end is told, as when a machine is unplugged. */
  hang(): void {
    this.#hung = true;
    this.#kept = [];
  }

  /** Breaks in the middle of a chunk in one direction, after `before` whole chunks. */
  cutNext(direction: "up" | "down", before = 0): void {
    this.#cut = direction;
    this.#before = before;
  }

  #onData(chunk: Uint8Array): void {
    if (this.#closed || this.#hung) return;
    if (this.#stalled) {
      this.#kept.push(chunk);
    } else if (this.#cut === "down" && this.#before-- <= 0) {
      this.#cut = null;
      this.#broken = true;
      this.#handlers!.onData(chunk.slice(0, Math.ceil(chunk.length / 2)));
      this.#inner.destroy();
    } else {
      this.#handlers!.onData(chunk);
    }
  }

  #close(error: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#kept = [];
    this.#handlers?.onClose(error);
  }
}
