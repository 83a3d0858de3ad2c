/** The consensus documents of a daemon: previous, current and next epoch (spec/mixnet §3.6). */
import { type ConsensusDocument, documentInForce } from "../mixnet/link.js";
import { PkiDocument } from "../pki/document.js";

/** A document, encoded and decoded. */
export interface KnownDocument extends ConsensusDocument {
  readonly decoded: PkiDocument;
}

/** Documents by epoch; it knows which one is current. */
export class Documents {
  readonly #byEpoch = new Map<number, KnownDocument>();
  readonly #currentEpoch: () => number;

  /** @param currentEpoch returns the epoch by the network's clock. */
  constructor(currentEpoch: () => number) {
    this.#currentEpoch = currentEpoch;
  }

  /** Adds a document and drops those of epochs other than previous, current and next. */
  add(document: ConsensusDocument): KnownDocument {
    const known = { ...document, decoded: PkiDocument.decode(document.document) };
    this.#byEpoch.set(document.epoch, known);
    this.prune();
    return known;
  }

  /** Drops the documents of epochs other than previous, current and next. */
  prune(): void {
    const current = this.#currentEpoch();
    for (const epoch of this.#byEpoch.keys()) {
      if (epoch < current - 1 || epoch > current + 1) this.#byEpoch.delete(epoch);
    }
  }

  /** The document of exactly that epoch; null if it is not stored. */
  ofEpoch(epoch: number): KnownDocument | null {
    return this.#byEpoch.get(epoch) ?? null;
  }

  /** The current epoch's document, or else that of the epoch before, or else null. */
  current(): KnownDocument | null {
    return documentInForce((epoch) => this.#byEpoch.get(epoch), this.#currentEpoch()) ?? null;
  }

  /** All stored documents, the current one first. */
  all(): KnownDocument[] {
    const current = this.current();
    return [...this.#byEpoch.values()].sort(
      (a, b) => Number(b === current) - Number(a === current),
    );
  }

  /** The current epoch by the network's clock. */
  currentEpoch(): number {
    return this.#currentEpoch();
  }
}
