/**
 * Random sources determined by a seed, for key pairs from seeds, vouchers, and tests. Each is one
 * continuous stream: each call continues after the one before.
 */
import { chacha20 } from "@noble/ciphers/chacha.js";
import { shake256 } from "@noble/hashes/sha3.js";
import { type Bytes, type RandomSource, checkBytes } from "../bytes/bytes.js";

const blockLength = 64;

/**
 * The ChaCha20 keystream (RFC 8439) of a 32-byte key, zero nonce, from block 0 on.
 * spec/pigeonhole §1.2.
 * @throws TypeError, RangeError when `seed` is not 32 bytes.
 */
export function chacha20Random(seed: Uint8Array): RandomSource {
  checkBytes("seed", seed, 32);
  const key = seed.slice();
  const nonce = new Uint8Array(12);
  let position = 0;
  return (length) => {
    const firstBlock = Math.floor(position / blockLength);
    const skip = position - firstBlock * blockLength;
    const stream = chacha20(key, nonce, new Uint8Array(skip + length), undefined, firstBlock);
    position += length;
    return stream.slice(skip) as Bytes;
  };
}

/** The SHAKE256 output (FIPS 202) for a seed of any length (spec/pigeonhole §10). */
export function shake256Random(seed: Uint8Array): RandomSource {
  checkBytes("seed", seed);
  const stream = shake256.create({}).update(seed);
  return (length) => stream.xof(length) as Bytes;
}
