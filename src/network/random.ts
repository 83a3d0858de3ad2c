/**
 * Randomness of the embedded network. One seed determines all of it: every part draws from a stream
 * of its own, so that what one part takes never changes what another gets.
 */
import {
  type Bytes,
  type RandomSource,
  concatBytes,
  randomBytes,
  utf8,
  isBytes,
} from "../bytes/bytes.js";
import { chacha20Random } from "../bacap/seeded-random.js";
import { hash256 } from "../bytes/hash.js";

/** What a network may be seeded with; the same seed gives the same network. */
export type Seed = Uint8Array | string | number;

/** The 32 bytes behind a seed; without one, from the platform's generator. */
export function seedBytes(seed: Seed | undefined): Bytes {
  if (seed === undefined) return randomBytes(32);
  return hash256(isBytes(seed) ? seed : utf8(String(seed)));
}

/** 32 bytes that `seed` and `label` determine, and that tell nothing of the seed. */
export function derive(seed: Uint8Array, label: string): Bytes {
  return hash256(concatBytes(seed, utf8(label)));
}

/** The stream of random bytes that `seed` and `label` determine. */
export function derivedRandom(seed: Uint8Array, label: string): RandomSource {
  return chacha20Random(derive(seed, label));
}
