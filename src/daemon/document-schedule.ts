/** When a daemon fetches documents and when it announces them (spec/mixnet §3.6). */
import type { Clock, Timer } from "../clock/clock.js";
import type { ConsensusDocument, MixnetLink } from "../mixnet/link.js";
import type { Documents, KnownDocument } from "./documents.js";

/** The next epoch's document is fetched from this part of an epoch on. */
const nextDocumentFrom = 11 / 16;
/** How long a daemon with a missing document sleeps, as a part of an epoch. */
const recheckAfter = 1 / 16;
/** How often a document is asked for on behalf of a request that needs it. */
const fetchTries = 5;
/**
 * The longest time in ms before a change of the wall clock is noticed, and the smallest difference
 * that counts as one.
 */
const longestSleepMs = 10_000;
const jumpMs = 2000;

/** What a schedule needs. */
export interface DocumentScheduleOptions {
  readonly clock: Clock;
  readonly epoch: MixnetLink["epoch"];
  /** Asks the link for available documents. */
  readonly want: () => void;
  /** After how long an unavailable document is asked for again, in ms. */
  readonly retryMs: number;
  /** Stores fetched documents. */
  readonly documents: Documents;
  /** Whether to announce a document when its epoch begins; see {@link Kindness.kindDocuments}. */
  readonly kind: boolean;
  /** Called when there is a usable document and there was none before. */
  readonly onFirst: () => void;
  /** Called once per epoch, to announce the current epoch's document. */
  readonly onCurrent: (document: KnownDocument) => void;
}

/**
 * Takes documents from the link when a real daemon would fetch them: the next epoch's after 11/16
 * of the current one. So it wakes at that time, and only then announces the current epoch to its
 * clients. A daemon without any document takes an offered one at once, because any request that
 * needs one fetches it.
 */
export class DocumentSchedule {
  readonly #options: DocumentScheduleOptions;
  readonly #offered = new Map<number, ConsensusDocument>();
  readonly #waiting = new Set<() => void>();
  #told = -1;
  #timer: Timer | null = null;
  #wakeAtMs = 0;
  /** The wall clock and the monotonic clock when they were last compared. */
  #seen: { readonly wallMs: number; readonly monotonicMs: number } | null = null;
  #closed = false;

  constructor(options: DocumentScheduleOptions) {
    this.#options = options;
  }

  /** Called when the link has a document. */
  offer(document: ConsensusDocument): void {
    if (this.#closed) return;
    const { documents, kind } = this.#options;
    this.#offered.set(document.epoch, document);
    if (kind || documents.current() === null || this.#hasJumped()) this.wake();
  }

  /** Fetches and announces what is due, then sleeps. */
  wake(): void {
    if (this.#closed) return;
    const { documents, kind } = this.#options;
    const { current, periodMs, leftMs } = this.#options.epoch();
    this.#seen = this.#clocks();
    const hadNone = documents.current() === null;
    this.#fetch(current);
    const isLate = leftMs <= periodMs * (1 - nextDocumentFrom);
    if (isLate || kind) this.#fetch(current + 1);
    if (documents.current() === null) this.#fetch(current - 1);
    documents.prune();
    for (const epoch of this.#offered.keys()) {
      if (epoch < current - 1) this.#offered.delete(epoch);
    }
    const known = documents.ofEpoch(current);
    if (known !== null && this.#told !== current) {
      this.#told = current;
      this.#options.onCurrent(known);
    }
    // Last, because those who waited for it need no announcement.
    if (hadNone && documents.current() !== null) {
      for (const go of Array.from(this.#waiting)) go();
      this.#options.onFirst();
    }
    this.#wakeAtMs = this.#options.clock.monotonic() + this.#sleep();
    this.#arm();
  }

  /**
   * For a request that needs a document: resolves when there is one, or after five failed attempts
   * to get one.
   */
  async whenKnown(): Promise<void> {
    const { clock, documents, retryMs } = this.#options;
    for (let tries = 0; tries < fetchTries; tries++) {
      if (documents.current() !== null || this.#closed) return;
      this.#options.want();
      if (tries === fetchTries - 1) return;
      await new Promise<void>((resolve) => {
        const go = (): void => {
          timer.cancel();
          this.#waiting.delete(go);
          resolve();
        };
        const timer = clock.after(retryMs, go, { background: true });
        this.#waiting.add(go);
      });
    }
  }

  /** Stops. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#offered.clear();
    for (const go of Array.from(this.#waiting)) go();
  }

  #fetch(epoch: number): void {
    const document = this.#offered.get(epoch);
    if (document === undefined) return;
    this.#offered.delete(epoch);
    this.#options.documents.add(document);
  }

  #sleep(): number {
    const { documents, kind } = this.#options;
    const { current, periodMs, leftMs } = this.#options.epoch();
    if (documents.ofEpoch(current) === null) return periodMs * recheckAfter;
    if (kind) return leftMs;
    if (documents.ofEpoch(current + 1) === null) {
      const untilNextMs = leftMs - periodMs * (1 - nextDocumentFrom);
      return untilNextMs > 0 ? untilNextMs : periodMs * recheckAfter;
    }
    return leftMs + periodMs * nextDocumentFrom;
  }

  #arm(): void {
    this.#timer?.cancel();
    const { clock } = this.#options;
    const leftMs = Math.max(1, Math.ceil(this.#wakeAtMs - clock.monotonic()));
    const look = (): void => {
      if (clock.monotonic() >= this.#wakeAtMs || this.#hasJumped()) this.wake();
      else this.#arm();
    };
    this.#timer = clock.after(Math.min(leftMs, longestSleepMs), look, { background: true });
  }

  #clocks(): { wallMs: number; monotonicMs: number } {
    const { current, periodMs, leftMs } = this.#options.epoch();
    const wallMs = (current + 1) * periodMs - leftMs;
    return { wallMs, monotonicMs: this.#options.clock.monotonic() };
  }

  /**
   * Whether the network's time jumped relative to the monotonic clock: what is due is then due at
   * once.
   */
  #hasJumped(): boolean {
    if (this.#seen === null) return false;
    const { wallMs, monotonicMs } = this.#clocks();
    const drift = wallMs - this.#seen.wallMs - (monotonicMs - this.#seen.monotonicMs);
    return Math.abs(drift) >= jumpMs;
  }
}
