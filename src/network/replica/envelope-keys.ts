/** A replica's envelope keys: one pair per replica epoch (spec/pigeonhole §9.2). */
import type { RandomSource } from "../../bytes/bytes.js";
import type { NikeKeyPair, NikeScheme } from "../../crypto/nike/scheme.js";
import { derivedRandom } from "../random.js";

/**
 * Makes, keeps and erases the key pairs. All come from one seed, so a replica that restarts with
 * its boxes can open envelopes from before. (A replica that must not be able to do that would draw
 * every pair at random and keep it in a file until it is erased.)
 */
export class EnvelopeKeys {
  readonly #scheme: NikeScheme;
  readonly #seed: Uint8Array;
  readonly #pairs = new Map<number, Promise<NikeKeyPair>>();
  #oldest = 0;

  /** @param seed 32 bytes, secret; different for every replica. */
  constructor(scheme: NikeScheme, seed: Uint8Array) {
    this.#scheme = scheme;
    this.#seed = seed;
  }

  /**
   * Prepares the keys for a replica epoch: makes those of this epoch and the next, and erases those
   * older than the epoch before.
   */
  async prepare(epoch: number): Promise<void> {
    this.#oldest = epoch - 1;
    for (const [old, pair] of this.#pairs) {
      if (old >= this.#oldest) continue;
      this.#pairs.delete(old);
      pair.then(
        ({ privateKey }) => privateKey.fill(0),
        // A pair that could not be made needs no erasing; callers who wait for it get the error.
        () => {},
      );
    }
    await this.#pair(epoch);
    await this.#pair(epoch + 1);
  }

  /**
   * Public keys by replica epoch, for a document: those of `epochs`, made if needed, and those of
   * the epoch before while they are kept.
   */
  async published(epochs: readonly number[]): Promise<Map<number, Uint8Array>> {
    const before = Math.min(...epochs) - 1;
    const wanted = this.#pairs.has(before) ? [before, ...epochs] : epochs;
    const pairs = await Promise.all(wanted.map((epoch) => this.#pair(epoch)));
    return new Map(wanted.map((epoch, i) => [epoch, pairs[i]!.publicKey]));
  }

  /**
   * The private key of a replica epoch (a view: do not keep it). It is made if needed, which takes
   * as long as the scheme needs. Null for epochs whose keys are erased.
   */
  async privateKey(epoch: number): Promise<Uint8Array | null> {
    if (epoch < this.#oldest) return null;
    return (await this.#pair(epoch)).privateKey;
  }

  #pair(epoch: number): Promise<NikeKeyPair> {
    let pair = this.#pairs.get(epoch);
    if (pair === undefined) {
      pair = this.#generate(epoch, derivedRandom(this.#seed, `envelope key ${epoch}`));
      this.#pairs.set(epoch, pair);
    }
    return pair;
  }

  async #generate(epoch: number, random: RandomSource): Promise<NikeKeyPair> {
    try {
      return await this.#scheme.generate(random);
    } catch (error) {
      this.#pairs.delete(epoch);
      throw error;
    }
  }
}
