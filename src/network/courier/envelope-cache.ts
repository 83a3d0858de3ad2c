/** The envelopes that a courier has taken lately. Pigeonhole page, section 9.1. */
import { toHex } from "../../bytes/bytes.js";
import type { EnvelopeHash } from "../../bytes/opaque.js";
import type { Clock, Timer } from "../../clock/clock.js";
import type { CachedEnvelope } from "./cached-envelope.js";

/** How many envelopes are kept; each takes up to 6 kB. The oldest give way. */
const mostKept = 8192;

/** What a cache works with. */
export interface EnvelopeCacheOptions {
  readonly clock: Clock;
  /** How long an entry lives, in ms. */
  readonly lifetimeMs: number;
  /** Told of each entry that is dropped, for whatever reason. */
  readonly onDrop: (entry: CachedEnvelope) => void;
}

/** Entries by envelope hash, each for a fixed time. One timer, only while there are entries. */
export class EnvelopeCache {
  readonly #options: EnvelopeCacheOptions;
  /** In the order in which they were added, so the oldest come first. */
  readonly #entries = new Map<string, CachedEnvelope>();
  #timer: Timer | null = null;

  constructor(options: EnvelopeCacheOptions) {
    this.#options = options;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  #isOver(entry: CachedEnvelope): boolean {
    const { clock, lifetimeMs } = this.#options;
    return clock.monotonic() - entry.createdMs >= lifetimeMs;
  }

  /** The entry of that name, if its time is not over. */
  get(hash: EnvelopeHash): CachedEnvelope | undefined {
    const entry = this.#entries.get(toHex(hash));
    if (entry === undefined || !this.#isOver(entry)) return entry;
    this.drop(entry);
    return undefined;
  }

  /** Adds an entry; there must be none of its name. */
  add(entry: CachedEnvelope): void {
    this.#entries.set(toHex(entry.hash), entry);
    if (this.#entries.size > mostKept) {
      for (const oldest of this.#entries.values()) {
        this.drop(oldest);
        break;
      }
    }
    this.#arm();
  }

  /** Whether that very entry is kept. */
  has(entry: CachedEnvelope): boolean {
    return this.#entries.get(toHex(entry.hash)) === entry;
  }

  /** Drops an entry. */
  drop(entry: CachedEnvelope): void {
    if (!this.has(entry)) return;
    this.#entries.delete(toHex(entry.hash));
    this.#options.onDrop(entry);
  }

  #arm(): void {
    if (this.#timer !== null) return;
    const { clock, lifetimeMs } = this.#options;
    for (const oldest of this.#entries.values()) {
      // Rounded up: a timer that fires a fraction too early would find nothing to do.
      const leftMs = Math.ceil(oldest.createdMs + lifetimeMs - clock.monotonic());
      const prune = (): void => {
        this.#timer = null;
        this.#prune();
      };
      this.#timer = clock.after(Math.max(leftMs, 1000), prune, { background: true });
      break;
    }
  }

  #prune(): void {
    for (const entry of this.#entries.values()) {
      if (!this.#isOver(entry)) break;
      this.drop(entry);
    }
    this.#arm();
  }

  /** Drops everything without telling, and leaves no timer. */
  close(): void {
    this.#timer?.cancel();
    for (const entry of this.#entries.values()) entry.retry?.cancel();
    this.#entries.clear();
  }
}
