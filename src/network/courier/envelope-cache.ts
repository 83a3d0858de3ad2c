/** The envelopes that a courier has taken lately. spec/pigeonhole §9.1. */
import { toHex } from "../../bytes/bytes.js";
import type { EnvelopeHash } from "../../bytes/opaque.js";
import type { Clock, Timer } from "../../clock/clock.js";
import type { Timing } from "../../mixnet/timing.js";
import type { CachedEnvelope } from "./cached-envelope.js";

/** How many envelopes are kept; each takes up to 6 kB. The oldest that may go give way. */
const mostKept = 8192;

/** What a cache works with. */
export interface EnvelopeCacheOptions {
  readonly clock: Clock;
  readonly timing: Pick<Timing, "courierCacheMs" | "courierClearUpMs">;
  /** Whether entries go when their time is over; see {@link Kindness.kindCouriers}. */
  readonly kind: boolean;
  /** Whether an entry must stay though its time is over or others want its place. */
  readonly mustStay: (entry: CachedEnvelope) => boolean;
  /** Told of each entry that is dropped, for whatever reason. */
  readonly onDrop: (entry: CachedEnvelope) => void;
}

/**
 * Entries by envelope hash, each for a fixed time, or longer while it must stay. Those whose time
 * is over are looked for when another one comes, and only then: until that what they hold is given
 * out. A kind cache has a timer, only while there are entries whose time is not over; those that
 * stayed longer go when they are looked at.
 */
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

  #isOld(entry: CachedEnvelope): boolean {
    const { clock, timing } = this.#options;
    return clock.monotonic() - entry.createdMs >= timing.courierCacheMs;
  }

  /** The entry of that name, if its time is not over. */
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

  /** Adds an entry; there must be none of its name. Without {@link hasRoom} all stay. */
  add(entry: CachedEnvelope): void {
    if (!this.#options.kind) this.#dropOld();
    const oldest = this.#entries.size < mostKept ? undefined : this.#oldestToGo();
    if (oldest !== undefined) this.drop(oldest);
    this.#entries.set(toHex(entry.hash), entry);
    this.#arm();
  }

  /** Whether that very entry is kept. One whose time is over is not any more, in a kind cache. */
  has(entry: CachedEnvelope): boolean {
    if (this.#entries.get(toHex(entry.hash)) !== entry) return false;
    return !this.#options.kind || !this.dropIfOver(entry);
  }

  /** Drops an entry if its time is over, and tells whether it is. */
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
      // Rounded up: a timer that fires a fraction too early would find nothing to do.
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

  /** Drops everything without telling, and leaves no timer. */
  close(): void {
    this.#timer?.cancel();
    for (const entry of this.#entries.values()) entry.retry?.cancel();
    this.#entries.clear();
  }
}
