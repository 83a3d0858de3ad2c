/** Received data that was not delivered yet, for transports that cannot make their source wait. */
import { InvalidStateError } from "../errors/errors.js";
import type { TransportHandlers } from "./transport.js";

/**
 * Keeps the delivery rules of `Transport`: nothing before `open`, nothing while paused, everything
 * in order, `onClose` once and last, and no handler called from within `open` or `resume`.
 */
export class Inbox {
  readonly #held: Uint8Array[] = [];
  #heldBytes = 0;
  #handlers: TransportHandlers | null = null;
  #paused = false;
  #scheduled = false;
  #ending: { readonly error: Error | null } | null = null;
  #aborted = false;
  #closed = false;

  /** Bytes that wait for delivery. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether delivery is stopped: by {@link pause}, or because `open` was not called yet. */
  get stopped(): boolean {
    return this.#handlers === null || (this.#paused && !this.#aborted);
  }

  /** Whether nothing more can arrive; `onClose` may still wait for its turn. */
  get ended(): boolean {
    return this.#ending !== null;
  }

  /** Starts delivery. @throws InvalidStateError the second time. */
  open(handlers: TransportHandlers): void {
    if (this.#handlers !== null) throw new InvalidStateError("the transport is already open");
    this.#handlers = handlers;
    this.#schedule();
  }

  /** Takes received bytes; they are delivered at once if possible. */
  push(chunk: Uint8Array): void {
    if (this.#ending !== null || chunk.length === 0) return;
    if (!this.stopped && this.#held.length === 0) {
      this.#handlers!.onData(chunk);
      return;
    }
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    this.#schedule();
  }

  /** Calls `onClose(error)` after the held data. Only the first call counts. */
  close(error: Error | null): void {
    if (this.#ending !== null) return;
    this.#ending = { error };
    this.#schedule();
  }

  /** Calls `onClose(error)` soon, even if paused; held data is dropped. */
  abort(error: Error | null): void {
    if (this.#closed || this.#aborted) return;
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#aborted = true;
    this.#ending = { error };
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.stopped || this.#closed) return;
    if (this.#held.length === 0 && this.#ending === null) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    let next = 0;
    let threw = true;
    try {
      while (next < this.#held.length && !this.stopped) {
        const chunk = this.#held[next++]!;
        this.#heldBytes -= chunk.length;
        this.#handlers!.onData(chunk);
      }
      threw = false;
    } finally {
      // The handler may have thrown, paused or aborted: keep exactly what it did not receive.
      this.#held.splice(0, next);
      if (threw) this.#schedule();
    }
    if (this.#ending === null || this.#closed || this.stopped || this.#held.length > 0) return;
    this.#closed = true;
    this.#handlers!.onClose(this.#ending.error);
  }
}
