/** The reply blocks in use, by SURB ID. */
import { type Bytes, toHex } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";

/** The most reply blocks that are remembered; beyond that the oldest are forgotten. */
export const MAX_REMEMBERED_SURBS = 8192;

/** Mixes keep the keys of three epochs, so older reply blocks are dead. */
export const SURB_EPOCHS = 3;

/** The remembered part of a reply block. */
export interface RememberedSurb {
  /** The keys that open the reply. Secret. */
  readonly keys: Bytes;
  /** Whether its reply is thrown away. */
  readonly isDecoy: boolean;
}

/**
 * Remembers the keys that open replies. Each opens one reply: if a gateway sends a reply again, it
 * is ignored. An unanswered reply block is forgotten when the mixes have dropped their keys for it.
 */
export class SurbTable {
  readonly #clock: Clock;
  // In the order in which they were made, oldest first.
  readonly #entries = new Map<string, RememberedSurb & { readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** Remembers one for `keptMs`. */
  add(surbId: Uint8Array, surb: RememberedSurb, keptMs: number): void {
    this.#entries.set(toHex(surbId), { ...surb, until: this.#clock.monotonic() + keptMs });
    for (const [name, { until }] of this.#entries) {
      const isOver = until <= this.#clock.monotonic();
      if (!isOver && this.#entries.size <= MAX_REMEMBERED_SURBS) break;
      this.#entries.delete(name);
    }
  }

  /** Returns and forgets the keys for a reply; null if none is awaited under that ID. */
  take(surbId: Uint8Array): RememberedSurb | null {
    const name = toHex(surbId);
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    this.#entries.delete(name);
    return entry.until > this.#clock.monotonic() ? entry : null;
  }

  /** Forgets a reply block whose packet did not leave. */
  forget(surbId: Uint8Array): void {
    this.#entries.delete(toHex(surbId));
  }

  /** Forgets all reply blocks, because their queue is gone. */
  clear(): void {
    this.#entries.clear();
  }
}
