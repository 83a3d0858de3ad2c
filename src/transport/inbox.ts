/** What came in and was not delivered yet, for transports that cannot make their source wait. */
import { InvalidStateError } from "../errors/errors.js";
import type { TransportHandlers } from "./transport.js";

/**
 * Keeps the promises of `Transport` about delivery: nothing before `open`, nothing while paused,
 * everything in order, `onClose` once and last, and no handler called from within `open` or
 * `resume`.
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

  /** Whether delivery is stopped: by {@link pause}, or because nobody opened yet. */
  get stopped(): boolean {
    return this.#handlers === null || (this.#paused && !this.#aborted);
  }

  /** Whether nothing can come any more; `onClose` may still be waiting for its turn. */
  get ended(): boolean {
    return this.#ending !== null;
  }

  /** Begins delivery. @throws InvalidStateError the second time. */
  open(handlers: TransportHandlers): void {
    if (this.#handlers !== null) throw new InvalidStateError("the transport is open already");
    this.#handlers = handlers;
    this.#schedule();
  }

  /** Takes bytes in; they are delivered at once if nothing is in their way. */
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

  /** After what is held, `onClose(error)`. Only the first call counts. */
  close(error: Error | null): void {
    if (this.#ending !== null) return;
    this.#ending = { error };
    this.#schedule();
  }

  /** `onClose(error)` soon, paused or not; what is held is dropped. */
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
      // The handler may have thrown, paused or aborted: keep exactly what it did not get.
      this.#held.splice(0, next);
      if (threw) this.#schedule();
    }
    if (this.#ending === null || this.#closed || this.stopped || this.#held.length > 0) return;
    this.#closed = true;
    this.#handlers!.onClose(this.#ending.error);
  }
}
