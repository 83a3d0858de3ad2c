/** The PKI documents a client was told of. */
import { PkiDocumentUnavailableError } from "../errors/errors.js";
import { type PkiDocument, isSameDocument } from "../pki/document.js";

/** How far back documents are kept, in epochs. */
const KEPT_EPOCHS = 5;

/** Documents by epoch: the newest and up to five epochs before it. */
export class PkiCache {
  readonly #byEpoch = new Map<number, PkiDocument>();
  #current: PkiDocument | null = null;

  /** The document that came last; null before the first. */
  get current(): PkiDocument | null {
    return this.#current;
  }

  /** Takes a document in and forgets those that are too old. */
  add(document: PkiDocument): void {
    this.#current = document;
    this.#byEpoch.set(document.epoch, document);
    const newest = Math.max(...this.#byEpoch.keys());
    for (const epoch of this.#byEpoch.keys()) {
      if (epoch < newest - KEPT_EPOCHS) this.#byEpoch.delete(epoch);
    }
  }

  /** Whether it is kept already: then it is no news, even if another one came after it. */
  holds(document: PkiDocument): boolean {
    const kept = this.#byEpoch.get(document.epoch);
    return kept !== undefined && isSameDocument(kept, document);
  }

  /** How many documents are kept. */
  get size(): number {
    return this.#byEpoch.size;
  }

  /**
   * The document of `epoch`, else the current one.
   * @throws PkiDocumentUnavailableError when there is neither.
   */
  forEpoch(epoch: number): PkiDocument {
    const document = this.#byEpoch.get(epoch) ?? this.#current;
    if (document) return document;
    throw new PkiDocumentUnavailableError(
      "no PKI document available for the requested epoch: the daemon has not sent one yet; " +
        "wait with waitUntilOnline()",
    );
  }
}
