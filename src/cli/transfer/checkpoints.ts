/** When to write down how far a transfer is. */

/** Least time between two notes, in milliseconds: each waits for the disk. */
const INTERVAL_MS = 250;

/** Writes notes down, not too often, and the last one in any case. */
export class Checkpoints<T> {
  readonly #save: (note: T) => Promise<void>;
  #savedAt = -Infinity;
  #unsaved: { readonly note: T } | null = null;

  constructor(save: (note: T) => Promise<void>) {
    this.#save = save;
  }

  /** A new note; saved when the one before is old enough. */
  async note(note: T): Promise<void> {
    this.#unsaved = { note };
    if (performance.now() - this.#savedAt >= INTERVAL_MS) await this.flush();
  }

  /** Saves the last note. */
  async flush(): Promise<void> {
    const unsaved = this.#unsaved;
    if (unsaved === null) return;
    this.#unsaved = null;
    await this.#save(unsaved.note);
    this.#savedAt = performance.now();
  }
}
