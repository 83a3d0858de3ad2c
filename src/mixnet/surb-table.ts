/** The reply blocks that are out, by name. */
import { type Bytes, toHex } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";

/** Most reply blocks that are remembered; of more the oldest are forgotten. */
export const MAX_REMEMBERED_SURBS = 8192;

/** Mixes keep the keys of three epochs: reply blocks made for older ones are dead. */
export const SURB_EPOCHS = 3;

/** What is remembered of a reply block. */
export interface RememberedSurb {
  /** What opens the reply. Secret. */
  readonly keys: Bytes;
  /** Whether its reply is thrown away. */
  readonly isDecoy: boolean;
}

/**
 * Remembers what opens replies. Each opens once: a gateway that sends a reply again is ignored. One
 * that never comes is forgotten when the mixes have forgotten their keys for it.
 */
export class SurbTable {
  readonly #clock: Clock;
  // In the order in which they were made: the first is the oldest.
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

  /** What opens the reply of that name, which is forgotten; null when none is waited for. */
  take(surbId: Uint8Array): RememberedSurb | null {
    const name = toHex(surbId);
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    this.#entries.delete(name);
    return entry.until > this.#clock.monotonic() ? entry : null;
  }

  /** Forgets one whose packet did not leave. */
  forget(surbId: Uint8Array): void {
    this.#entries.delete(toHex(surbId));
  }

  /** Forgets all of them: their queue is gone. */
  clear(): void {
    this.#entries.clear();
  }
}
