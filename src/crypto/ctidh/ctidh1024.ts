/**
 * CTIDH1024: a key exchange from the action of an ideal class group on supersingular elliptic
 * curves (CSIDH) over a field of 1020 bits, with the keys and secrets of the CTIDH-1024 scheme
 * (spec/pigeonhole §3.2).
 *
 * Each group action takes hundreds of milliseconds without a pause. Programs with other work should
 * use `CtidhPool`. The time depends on the private key: anyone who can time single operations
 * learns something about it.
 */
import { type Bytes, type RandomSource, checkBytes, randomBytes } from "../../bytes/bytes.js";
import { act } from "./action.js";
import { PRIME_COUNT, toLittleEndian } from "./field.js";
import { drawPrivateKey } from "./private-key.js";
import { CTIDH1024_PUBLIC_KEY_LENGTH, decodePublicKey, validatePublicKey } from "./validate.js";

export { CTIDH1024_PUBLIC_KEY_LENGTH, validatePublicKey };

/** Length of a private key in bytes: a signed exponent for each of 130 primes. */
export const CTIDH1024_PRIVATE_KEY_LENGTH = PRIME_COUNT;

/** The error text for an invalid public key. */
export const invalidPublicKeyText =
  "`publicKey` must be a supersingular curve in canonical form, got something else";

/**
 * A new private key (130 bytes), drawn from `random` (the platform's generator by default). The
 * same byte stream gives the same key as in other implementations.
 */
export function generatePrivateKey(random: RandomSource = randomBytes): Bytes {
  return drawPrivateKey(random);
}

/**
 * The curve (128 bytes) that results from applying a private key to another curve. It does not
 * validate the public key: for an invalid one the result is meaningless.
 * @param publicKey 128 bytes: A·2^1024 modulo p, little-endian. All zeros is the base curve.
 * @param privateKey 130 bytes.
 * @throws TypeError, RangeError for wrong lengths, a public key that is not canonical, or A = ±2.
 */
export function groupAction(publicKey: Uint8Array, privateKey: Uint8Array): Bytes {
  checkBytes("privateKey", privateKey, CTIDH1024_PRIVATE_KEY_LENGTH);
  const coefficient = decodePublicKey(publicKey);
  if (coefficient === null) throw new RangeError(invalidPublicKeyText);
  const exponents = new Int8Array(privateKey);
  const image = toLittleEndian(act(coefficient, exponents));
  exponents.fill(0);
  return image;
}

/**
 * The public key (128 bytes) of a private key: the private key applied to the base curve.
 * @throws TypeError, RangeError when the private key is not 130 bytes.
 */
export function publicKeyOf(privateKey: Uint8Array): Bytes {
  return groupAction(new Uint8Array(CTIDH1024_PUBLIC_KEY_LENGTH), privateKey);
}

/**
 * The shared secret (128 bytes, not hashed): the private key applied to the peer's public key. It
 * validates the public key, which takes about an eighth of the time.
 * @throws TypeError, RangeError for wrong lengths or an invalid public key.
 */
export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Bytes {
  checkBytes("privateKey", privateKey, CTIDH1024_PRIVATE_KEY_LENGTH);
  if (!validatePublicKey(publicKey)) throw new RangeError(invalidPublicKeyText);
  return groupAction(publicKey, privateKey);
}
