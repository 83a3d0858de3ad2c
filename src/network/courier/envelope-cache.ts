/** The envelopes that a courier has received recently (spec/pigeonhole §9.1). */
import { toHex } from "../../bytes/bytes.js";
import type { EnvelopeHash } from "../../bytes/opaque.js";
import type { Clock, Timer } from "../../clock/clock.js";
import type { Timing } from "../../mixnet/timing.js";
import type { CachedEnvelope } from "./cached-envelope.js";

/** How many envelopes are kept; each takes up to 6 kB. The oldest that may be dropped make room. */
const mostKept = 8192;

/** What the cache needs. */
export interface EnvelopeCacheOptions {
  readonly clock: Clock;
  readonly timing: Pick<Timing, "courierCacheMs" | "courierClearUpMs">;
  /**
   * Whether entries are dropped by a timer when their time is over; see {@link
   * Kindness.kindCouriers}.
   */
  readonly kind: boolean;
  /** Whether an entry must stay even if its time is over or its place is needed. */
  readonly mustStay: (entry: CachedEnvelope) => boolean;
  /** Called for each entry that is dropped, for any reason. */
  readonly onDrop: (entry: CachedEnvelope) => void;
}

/**
 * Entries by envelope hash, each kept for a fixed time, or longer while it must stay. Expired
 * entries are only removed when another entry is added; until then their replies are still given
 * out. A kind cache uses a timer while it has entries that have not expired; entries that stayed
 * longer are dropped when they are next looked at.
 */
export class EnvelopeCache {
  readonly #options: EnvelopeCacheOptions;
  /** In the order in which they were added, oldest first. */
  readonly #entries = new Map<string, CachedEnvelope>();
  #timer: Timer | null = null;

  constructor(options: EnvelopeCacheOptions) {
    this.#options = options;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  #isOld(entry: CachedEnvelope): boolean {
    const { clock, timing } = this.#options;
    return clock.monotonic() - entry.createdMs >= timing.courierCacheMs;
  }

  /** The entry with that hash, if its time is not over. */
  get(hash: EnvelopeHash): CachedEnvelope | undefined {
    const entry = this.#entries.get(toHex(hash));
    return entry !== undefined && this.has(entry) ? entry : undefined;
  }

  /** Whether another entry can be added without dropping one that must stay. */
  get hasRoom(): boolean {
    return this.#entries.size < mostKept || this.#oldestToGo() !== undefined;
  }

  #oldestToGo(): CachedEnvelope | undefined {
    for (const entry of this.#entries.values()) if (!this.#options.mustStay(entry)) return entry;
    return undefined;
  }

  /** Adds an entry; its hash must be new. If {@link hasRoom} is false, all entries stay. */
  add(entry: CachedEnvelope): void {
    if (!this.#options.kind) this.#dropOld();
    const oldest = this.#entries.size < mostKept ? undefined : this.#oldestToGo();
    if (oldest !== undefined) this.drop(oldest);
    this.#entries.set(toHex(entry.hash), entry);
    this.#arm();
  }

  /** Whether exactly this entry is kept. A kind cache does not keep expired entries. */
  has(entry: CachedEnvelope): boolean {
    if (this.#entries.get(toHex(entry.hash)) !== entry) return false;
    return !this.#options.kind || !this.dropIfOver(entry);
  }

  /** Drops an entry if its time is over, and returns whether it is. */
  dropIfOver(entry: CachedEnvelope): boolean {
    if (!this.#isOld(entry) || this.#options.mustStay(entry)) return false;
    this.drop(entry);
    return true;
  }

  /** Drops an entry. */
  drop(entry: CachedEnvelope): void {
    const key = toHex(entry.hash);
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#options.onDrop(entry);
  }

  #arm(): void {
    if (this.#timer !== null || !this.#options.kind) return;
    const { clock, timing } = this.#options;
    for (const oldest of this.#entries.values()) {
      if (this.#isOld(oldest)) continue;
      // Rounded up, because a timer that fires slightly early would find nothing to do.
      const leftMs = Math.ceil(oldest.createdMs + timing.courierCacheMs - clock.monotonic());
      const prune = (): void => {
        this.#timer = null;
        this.#prune();
      };
      const wait = Math.max(leftMs, timing.courierClearUpMs);
      this.#timer = clock.after(wait, prune, { background: true });
      break;
    }
  }

  #prune(): void {
    this.#dropOld();
    this.#arm();
  }

  #dropOld(): void {
    for (const entry of this.#entries.values()) {
      if (!this.#isOld(entry)) break;
      this.dropIfOver(entry);
    }
  }

  /** Drops everything without callbacks, and cancels the timer. */
  close(): void {
    this.#timer?.cancel();
    for (const entry of this.#entries.values()) entry.retry?.cancel();
    this.#entries.clear();
  }
}
