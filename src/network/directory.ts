/** Publishes the consensus of each epoch in time (spec/mixnet §3.1 and §3.6). */
import type { Clock, Timer } from "../clock/clock.js";
import { type ConsensusDocument, documentInForce } from "../mixnet/link.js";
import { PkiDocument } from "../pki/document.js";
import type { NetworkTime } from "./network-time.js";

/** A published document, decoded once for all links. */
export interface PublishedDocument extends ConsensusDocument {
  /** The decoded `document`. All listeners share it, so treat it as read-only. */
  readonly decoded: PkiDocument;
}

/** What a directory needs. */
export interface DirectoryOptions {
  readonly clock: Clock;
  readonly time: NetworkTime;
  /** Makes the document of an epoch. */
  readonly make: (epoch: number) => Promise<{ certificate: Uint8Array; document: Uint8Array }>;
  /** Called when a document becomes available, and when its epoch begins. */
  readonly onDocument: (document: PublishedDocument) => void;
  /** Called when making a document failed; the next step tries again. */
  readonly onFault: (error: Error) => void;
}

/** The next epoch's document is available from this part of an epoch on. */
const nextDocumentAt = 5 / 8;
/**
 * The longest time in ms before a change of the wall clock, or a sleep of the machine, is noticed.
 */
const longestSleepMs = 10_000;

/** The documents of the previous, the current and the next epoch. */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #documents = new Map<number, PublishedDocument>();
  readonly #making = new Map<number, Promise<void>>();
  #withheld = false;
  #announced = -1;
  #timer: Timer | null = null;
  #closed = false;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** The available documents, in the order of their epochs. */
  documents(): PublishedDocument[] {
    return [...this.#documents.values()].sort((a, b) => a.epoch - b.epoch);
  }

  /** The current epoch's document, or else that of the epoch before, or else undefined. */
  current(): PublishedDocument | undefined {
    const { current } = this.#options.time.epoch();
    return documentInForce((epoch) => this.#documents.get(epoch), current);
  }

  /**
   * Does what is due now, and schedules itself for later.
   * @throws (rejects) with what making a document threw.
   */
  async step(): Promise<void> {
    if (this.#closed) return;
    this.#arm();
    const { current, periodMs, leftMs } = this.#options.time.epoch();
    for (const epoch of this.#documents.keys()) {
      if (epoch < current - 1 || epoch > current + 1) this.#documents.delete(epoch);
    }
    if (this.#withheld) return;
    const known = this.#documents.get(current);
    if (known !== undefined) this.#announce(known);
    else await this.#publish(current);
    if (leftMs <= periodMs * (1 - nextDocumentAt)) await this.#publish(current + 1);
  }

  /** Called by somebody who misses a document that may be due. Never rejects. */
  look(): void {
    if (!this.#closed) this.#stepLater();
  }

  /** Withholds new documents, or releases them. */
  setWithheld(withheld: boolean): void {
    this.#withheld = withheld;
    if (!withheld) this.#stepLater();
  }

  /** Stops. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #stepLater(): void {
    this.step().catch((error: unknown) => {
      this.#options.onFault(error instanceof Error ? error : new Error(String(error)));
    });
  }

  #arm(): void {
    this.#timer?.cancel();
    const { periodMs, leftMs } = this.#options.time.epoch();
    const untilNext = leftMs - periodMs * (1 - nextDocumentAt);
    // Timers may fire a little early by the wall clock; then this arms one again for the rest. What
    // is due depends on the wall clock, and timers do not follow it when it is set.
    const untilDue = Math.ceil(Math.max(untilNext > 0 ? untilNext : leftMs, 1));
    const wait = Math.min(untilDue, longestSleepMs);
    this.#timer = this.#options.clock.after(wait, () => this.#stepLater(), { background: true });
  }

  #publish(epoch: number): Promise<void> {
    if (this.#documents.has(epoch)) return Promise.resolve();
    let making = this.#making.get(epoch);
    if (making === undefined) {
      making = this.#make(epoch).finally(() => this.#making.delete(epoch));
      this.#making.set(epoch, making);
    }
    return making;
  }

  async #make(epoch: number): Promise<void> {
    const { certificate, document } = await this.#options.make(epoch);
    if (this.#closed || this.#withheld) return;
    const { current } = this.#options.time.epoch();
    if (epoch < current - 1 || epoch > current + 1) return;
    const decoded = PkiDocument.decode(document);
    const published = { epoch, certificate, document, decoded };
    this.#documents.set(epoch, published);
    if (epoch === current) this.#announced = epoch;
    this.#options.onDocument(published);
  }

  /** A document that was published ahead of its epoch is announced again when the epoch begins. */
  #announce(document: PublishedDocument): void {
    if (this.#announced === document.epoch) return;
    this.#announced = document.epoch;
    this.#options.onDocument(document);
  }
}
