/** When a daemon fetches documents, and when it tells of them. spec/mixnet §3.6. */
import type { Clock, Timer } from "../clock/clock.js";
import type { ConsensusDocument, MixnetLink } from "../mixnet/link.js";
import type { Documents, KnownDocument } from "./documents.js";

/** From this part of an epoch on the next one's document is fetched. */
const nextDocumentFrom = 11 / 16;
/** How long a daemon sleeps that misses a document, as a part of an epoch. */
const recheckAfter = 1 / 16;
/** How often one is asked for on behalf of a request that needs it. */
const fetchTries = 5;
/**
 * The clock of the wall may be set; how long that can go unseen, and what is taken for it, in ms.
 */
const longestSleepMs = 10_000;
const jumpMs = 2000;

/** What a schedule works with. */
export interface DocumentScheduleOptions {
  readonly clock: Clock;
  readonly epoch: MixnetLink["epoch"];
  /** Asks the link for a document that may be had. */
  readonly want: () => void;
  /** Until a document that could not be had is asked for again, in ms. */
  readonly retryMs: number;
  /** Where fetched documents go. */
  readonly documents: Documents;
  /** Tell of a document when its epoch begins; see {@link Kindness.kindDocuments}. */
  readonly kind: boolean;
  /** There is a document to go by, where there was none. */
  readonly onFirst: () => void;
  /** The current epoch's document is to be told of: once an epoch. */
  readonly onCurrent: (document: KnownDocument) => void;
}

/**
 * Takes documents from the link when a real daemon would fetch them: the next epoch's after 11/16
 * of the current one. So it wakes then, and only then tells its clients of the epoch that is. A
 * daemon without any document takes what it is offered at once, for anyone who needs one fetches it.
 */
export class DocumentSchedule {
  readonly #options: DocumentScheduleOptions;
  readonly #offered = new Map<number, ConsensusDocument>();
  readonly #waiting = new Set<() => void>();
  #told = -1;
  #timer: Timer | null = null;
  #wakeAtMs = 0;
  /** Where the clock of the wall was, and the monotonic one, when they were last compared. */
  #seen: { readonly wallMs: number; readonly monotonicMs: number } | null = null;
  #closed = false;

  constructor(options: DocumentScheduleOptions) {
    this.#options = options;
  }

  /** The link has a document. */
  offer(document: ConsensusDocument): void {
    if (this.#closed) return;
    const { documents, kind } = this.#options;
    this.#offered.set(document.epoch, document);
    if (kind || documents.current() === null || this.#hasJumped()) this.wake();
  }

  /** Fetches and tells what is due; then sleeps. */
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
    // Last: those who waited for it need not be told again.
    if (hadNone && documents.current() !== null) {
      for (const go of Array.from(this.#waiting)) go();
      this.#options.onFirst();
    }
    this.#wakeAtMs = this.#options.clock.monotonic() + this.#sleep();
    this.#arm();
  }

  /**
   * For a request that needs a document: resolves when there is one, or when it was asked for five
   * times in vain.
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
   * Whether the network's time went another way than the monotonic clock: what is due is due now.
   */
  #hasJumped(): boolean {
    if (this.#seen === null) return false;
    const { wallMs, monotonicMs } = this.#clocks();
    const drift = wallMs - this.#seen.wallMs - (monotonicMs - this.#seen.monotonicMs);
    return Math.abs(drift) >= jumpMs;
  }
}
