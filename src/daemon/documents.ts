/** The consensus documents a daemon has: previous, current and next epoch. spec/mixnet §3.6. */
import { type ConsensusDocument, documentInForce } from "../mixnet/link.js";
import { PkiDocument } from "../pki/document.js";

/** A document and what was read of it. */
export interface KnownDocument extends ConsensusDocument {
  readonly decoded: PkiDocument;
}

/** Documents by epoch; knows which is the current one. */
export class Documents {
  readonly #byEpoch = new Map<number, KnownDocument>();
  readonly #currentEpoch: () => number;

  /** @param currentEpoch the epoch by the network's clock. */
  constructor(currentEpoch: () => number) {
    this.#currentEpoch = currentEpoch;
  }

  /** Takes a document in and forgets those of other epochs than previous, current and next. */
  add(document: ConsensusDocument): KnownDocument {
    const known = { ...document, decoded: PkiDocument.decode(document.document) };
    this.#byEpoch.set(document.epoch, known);
    this.prune();
    return known;
  }

  /** Forgets the documents of other epochs than previous, current and next. */
  prune(): void {
    const current = this.#currentEpoch();
    for (const epoch of this.#byEpoch.keys()) {
      if (epoch < current - 1 || epoch > current + 1) this.#byEpoch.delete(epoch);
    }
  }

  /** Forgets everything: what a network that lost its authorities looks like. */
  clear(): void {
    this.#byEpoch.clear();
  }

  /** The document of exactly that epoch; null when it is not kept. */
  ofEpoch(epoch: number): KnownDocument | null {
    return this.#byEpoch.get(epoch) ?? null;
  }

  /** The current epoch's document, else that of the epoch before, else null. */
  current(): KnownDocument | null {
    return documentInForce((epoch) => this.#byEpoch.get(epoch), this.#currentEpoch()) ?? null;
  }

  /** Every document that is kept, the current one first. */
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
