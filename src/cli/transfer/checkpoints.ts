/** When to save the progress of a transfer. */

/** Minimum time between two saves, in milliseconds, because each waits for the disk. */
const INTERVAL_MS = 250;

/** Saves notes, not too often, and always the last one. */
export class Checkpoints<T> {
  readonly #save: (note: T) => Promise<void>;
  #savedAt = -Infinity;
  #unsaved: { readonly note: T } | null = null;

  constructor(save: (note: T) => Promise<void>) {
    this.#save = save;
  }

  /** Takes a new note; saves it if the last save is old enough. */
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
