/**
 * X-Wing (draft-connolly-cfrg-xwing-kem-07; spec/mixnet §1.1): ML-KEM-768 of the library and the
 * platform's X25519, combined as the draft says. The library's own X-Wing computes X25519 in
 * JavaScript, which took almost half of a process's first handshake.
 */
import { shake256, x25519PublicKey, x25519SharedSecret } from "#platform";
import { sha3_256 } from "@noble/hashes/sha3.js";
import { ml_kem768 as mlKem } from "@noble/post-quantum/ml-kem.js";
import {
  type Bytes,
  checkBytes,
  concatBytes,
  copyBytes,
  equalBytes,
  randomBytes,
  utf8,
} from "../bytes/bytes.js";
import type { KemScheme } from "./scheme.js";

const latticeKeyLength = 1184;
const latticeSeedLength = 64;
const pointLength = 32;
const publicKeyLength = latticeKeyLength + pointLength;
const seedLength = 32;
const latticeCiphertextLength = 1088;
const ciphertextLength = latticeCiphertextLength + pointLength;
const label = utf8("\\.//^\\");

/** The two private keys of a seed, and the public key. */
interface Expanded {
  readonly seed: Bytes;
  readonly latticeKey: Uint8Array;
  readonly scalar: Bytes;
  readonly point: Bytes;
  readonly publicKey: Bytes;
}

function expand(seed: Uint8Array): Expanded {
  const expanded = shake256(latticeSeedLength + pointLength, seed);
  const lattice = mlKem.keygen(expanded.subarray(0, latticeSeedLength));
  const scalar = expanded.slice(latticeSeedLength);
  const point = x25519PublicKey(scalar);
  const publicKey = concatBytes(lattice.publicKey, point);
  return { seed: copyBytes(seed), latticeKey: lattice.secretKey, scalar, point, publicKey };
}

/**
 * New keys by their private key. A handshake makes two keys and decapsulates once with each, so
 * expanding them again would be a quarter of its time.
 */
const made = new WeakMap<Uint8Array, Expanded>();

function expandKey(privateKey: Uint8Array): Expanded {
  const seed = privateKey.subarray(publicKeyLength);
  const known = made.get(privateKey);
  return known !== undefined && equalBytes(known.seed, seed) ? known : expand(seed);
}

function combine(
  latticeSecret: Uint8Array,
  pointSecret: Uint8Array,
  sentPoint: Uint8Array,
  keyPoint: Uint8Array,
): Bytes {
  return copyBytes(sha3_256(concatBytes(latticeSecret, pointSecret, sentPoint, keyPoint, label)));
}

/** The scheme `XWING`: a private key is the public key, then the seed of 32 bytes. */
export const xwingKem: KemScheme = {
  name: "XWING",
  publicKeyLength,
  privateKeyLength: publicKeyLength + seedLength,
  ciphertextLength,
  sharedSecretLength: 32,
  generate(random = randomBytes) {
    const seed = random(seedLength);
    const expanded = expand(seed);
    const { publicKey } = expanded;
    const privateKey = concatBytes(publicKey, seed);
    made.set(privateKey, expanded);
    return { publicKey: copyBytes(publicKey), privateKey };
  },
  publicKeyOf(privateKey) {
    checkBytes("privateKey", privateKey, publicKeyLength + seedLength);
    return expand(privateKey.subarray(publicKeyLength)).publicKey;
  },
  encapsulate(publicKey, random = randomBytes) {
    checkBytes("publicKey", publicKey, publicKeyLength);
    // 32 bytes for ML-KEM, then the ephemeral X25519 key.
    const seed = random(32 + pointLength);
    const keyPoint = publicKey.subarray(latticeKeyLength);
    try {
      const latticeKey = copyBytes(publicKey.subarray(0, latticeKeyLength));
      const sent = mlKem.encapsulate(latticeKey, seed.subarray(0, 32));
      const scalar = seed.subarray(32);
      const sentPoint = x25519PublicKey(scalar);
      const pointSecret = x25519SharedSecret(scalar, keyPoint);
      return {
        ciphertext: concatBytes(sent.cipherText, sentPoint),
        sharedSecret: combine(sent.sharedSecret, pointSecret, sentPoint, keyPoint),
      };
    } catch (cause) {
      throw new RangeError("`publicKey` must be an X-Wing key", { cause });
    }
  },
  decapsulate(privateKey, ciphertext) {
    checkBytes("privateKey", privateKey, publicKeyLength + seedLength);
    checkBytes("ciphertext", ciphertext, ciphertextLength);
    const { latticeKey, scalar, point } = expandKey(privateKey);
    const sentPoint = ciphertext.subarray(latticeCiphertextLength);
    let pointSecret: Bytes;
    try {
      pointSecret = x25519SharedSecret(scalar, sentPoint);
    } catch (cause) {
      throw new RangeError("`ciphertext` must not hold a point of low order", { cause });
    }
    const sent = copyBytes(ciphertext.subarray(0, latticeCiphertextLength));
    const latticeSecret = mlKem.decapsulate(sent, latticeKey);
    return combine(latticeSecret, pointSecret, sentPoint, point);
  },
};
