/** A bounded memory of which public keys are valid, since finding out takes long. */
import { toHex } from "../../bytes/bytes.js";

/** The verdicts on the public keys that were looked at last. */
export class PublicKeyVerdicts {
  readonly #capacity: number;
  // A Map lists its keys in the order in which they were put in, so the first is the oldest.
  readonly #verdicts = new Map<string, boolean>();

  /**
   * @param capacity how many verdicts are kept, at about half a kilobyte each.
   * @throws RangeError unless it is a positive integer.
   */
  constructor(capacity = 1024) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new RangeError(`\`capacity\` must be a positive integer, got ${capacity}`);
    }
    this.#capacity = capacity;
  }

  /** The verdict on a key; undefined when it is not known (any more). */
  get(publicKey: Uint8Array): boolean | undefined {
    const key = toHex(publicKey);
    const verdict = this.#verdicts.get(key);
    if (verdict !== undefined) this.#put(key, verdict);
    return verdict;
  }

  /** Remembers a verdict, and forgets the one that was asked for longest ago if need be. */
  set(publicKey: Uint8Array, verdict: boolean): void {
    this.#put(toHex(publicKey), verdict);
  }

  #put(key: string, verdict: boolean): void {
    this.#verdicts.delete(key);
    this.#verdicts.set(key, verdict);
    if (this.#verdicts.size > this.#capacity) {
      this.#verdicts.delete(this.#verdicts.keys().next().value!);
    }
  }
}
