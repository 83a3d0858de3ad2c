/**
 * The lattice halves of the hybrids: ML-KEM-768 (FIPS 203) from the library, and Kyber768 of round
 * 3, which is ML-KEM with a different last step (spec/mixnet §1.3).
 */
import { sha3_256, shake256 } from "@noble/hashes/sha3.js";
import { ml_kem768 as mlKem } from "@noble/post-quantum/ml-kem.js";
import { type Bytes, checkBytes, concatBytes, copyBytes, randomBytes } from "../bytes/bytes.js";
import type { KemScheme } from "./scheme.js";

const publicKeyLength = 1184;
const ciphertextLength = 1088;
const seedLength = 64;
const expandedLength = 2400;
/** Offset of the public key in an expanded private key. */
const publicKeyAt = 1152;

function encapsulate(
  publicKey: Uint8Array,
  message: Uint8Array,
): { ciphertext: Bytes; sharedSecret: Bytes } {
  checkBytes("publicKey", publicKey, publicKeyLength);
  try {
    const { cipherText, sharedSecret } = mlKem.encapsulate(copyBytes(publicKey), message);
    return { ciphertext: copyBytes(cipherText), sharedSecret: copyBytes(sharedSecret) };
  } catch (cause) {
    throw new RangeError("`publicKey` must be an ML-KEM-768 key", { cause });
  }
}

function decapsulate(expandedKey: Uint8Array, ciphertext: Uint8Array): Bytes {
  checkBytes("ciphertext", ciphertext, ciphertextLength);
  try {
    return copyBytes(mlKem.decapsulate(copyBytes(ciphertext), copyBytes(expandedKey)));
  } catch (cause) {
    throw new RangeError("`privateKey` must be an ML-KEM-768 key", { cause });
  }
}

/** `MLKEM768`: a private key is the public key, then the seed of 64 bytes. */
export const mlKem768: KemScheme = {
  name: "MLKEM768",
  publicKeyLength,
  privateKeyLength: publicKeyLength + seedLength,
  ciphertextLength,
  sharedSecretLength: 32,
  generate(random = randomBytes) {
    const seed = random(seedLength);
    const publicKey = copyBytes(mlKem.keygen(seed).publicKey);
    return { publicKey, privateKey: concatBytes(publicKey, seed) };
  },
  publicKeyOf(privateKey) {
    checkBytes("privateKey", privateKey, publicKeyLength + seedLength);
    return copyBytes(mlKem.keygen(privateKey.slice(publicKeyLength)).publicKey);
  },
  encapsulate: (publicKey, random = randomBytes) => encapsulate(publicKey, random(32)),
  decapsulate(privateKey, ciphertext) {
    checkBytes("privateKey", privateKey, publicKeyLength + seedLength);
    return decapsulate(mlKem.keygen(privateKey.slice(publicKeyLength)).secretKey, ciphertext);
  },
};

/** Converts ML-KEM's secret to that of round 3, which hashes it once more with the ciphertext. */
function roundThreeSecret(secret: Uint8Array, ciphertext: Uint8Array): Bytes {
  return copyBytes(shake256(concatBytes(secret, sha3_256(ciphertext)), { dkLen: 32 }));
}

/**
 * Kyber768 of round 3. Private keys are in the expanded form of 2,400 bytes. The library makes
 * them: round 3 derives a key from a seed differently, but seeds are never exchanged. For an
 * invalid ciphertext the secret differs from the reference's, but neither secret is known to
 * anybody else.
 */
export const kyber768: KemScheme = {
  name: "Kyber768",
  publicKeyLength,
  privateKeyLength: expandedLength,
  ciphertextLength,
  sharedSecretLength: 32,
  generate(random = randomBytes) {
    const { publicKey, secretKey } = mlKem.keygen(random(seedLength));
    return { publicKey: copyBytes(publicKey), privateKey: copyBytes(secretKey) };
  },
  publicKeyOf(privateKey) {
    checkBytes("privateKey", privateKey, expandedLength);
    return copyBytes(privateKey.subarray(publicKeyAt, publicKeyAt + publicKeyLength));
  },
  encapsulate(publicKey, random = randomBytes) {
    const { ciphertext, sharedSecret } = encapsulate(publicKey, random(32));
    return { ciphertext, sharedSecret: roundThreeSecret(sharedSecret, ciphertext) };
  },
  decapsulate(privateKey, ciphertext) {
    checkBytes("privateKey", privateKey, expandedLength);
    return roundThreeSecret(decapsulate(privateKey, ciphertext), ciphertext);
  },
};
