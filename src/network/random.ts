/**
 * Randomness of the embedded network. One seed determines all of it. Every part draws from its own
 * stream, so what one part draws never changes the numbers of another.
 */
import {
  type Bytes,
  type RandomSource,
  concatBytes,
  copyBytes,
  randomBytes,
  utf8,
  isBytes,
} from "../bytes/bytes.js";
import { chacha20Random } from "../bacap/seeded-random.js";
import { hash256 } from "../bytes/hash.js";

/** A seed for a network; the same seed gives the same network. */
export type Seed = Uint8Array | string | number;

/** The seed, with its bytes copied, so that the caller may erase its own after the call. */
export function ownSeed<S extends Seed | undefined>(seed: S): S | Bytes {
  return isBytes(seed) ? copyBytes(seed) : seed;
}

/** The 32 bytes of a seed; without a seed, random bytes from the platform. */
export function seedBytes(seed: Seed | undefined): Bytes {
  if (seed === undefined) return randomBytes(32);
  return hash256(isBytes(seed) ? seed : utf8(String(seed)));
}

/** Derives 32 bytes from `seed` and `label`; they reveal nothing about the seed. */
export function derive(seed: Uint8Array, label: string): Bytes {
  return hash256(seed, utf8(label));
}

/** How much of a stream is computed at a time, in bytes. */
const CHUNK = 4096;

/** Derives a stream of random bytes from `seed` and `label`. */
export function derivedRandom(seed: Uint8Array, label: string): RandomSource {
  const stream = chacha20Random(derive(seed, label));
  // A network draws a few bytes at a time, for nonces, delays and choices. Setting up the cipher
  // costs as much as a hundred such draws.
  let ahead = new Uint8Array(0);
  let at = 0;
  return (length) => {
    const missing = length - (ahead.length - at);
    if (missing > 0) {
      ahead = concatBytes(ahead.subarray(at), stream(Math.max(CHUNK, missing)));
      at = 0;
    }
    const drawn = ahead.slice(at, at + length);
    at += length;
    return drawn;
  };
}
