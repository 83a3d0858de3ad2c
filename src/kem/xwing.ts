/** X-Wing (draft-connolly-cfrg-xwing-kem-07), from the library (spec/mixnet §1.1). */
import { ml_kem768_x25519 as xwing } from "@noble/post-quantum/hybrid.js";
import { checkBytes, concatBytes, copyBytes, randomBytes } from "../bytes/bytes.js";
import type { KemScheme } from "./scheme.js";

const publicKeyLength = 1184 + 32;
const seedLength = 32;
const ciphertextLength = 1088 + 32;

/** The scheme `XWING`: a private key is the public key, then the seed of 32 bytes. */
export const xwingKem: KemScheme = {
  name: "XWING",
  publicKeyLength,
  privateKeyLength: publicKeyLength + seedLength,
  ciphertextLength,
  sharedSecretLength: 32,
  generate(random = randomBytes) {
    const seed = random(seedLength);
    const publicKey = copyBytes(xwing.keygen(seed).publicKey);
    return { publicKey, privateKey: concatBytes(publicKey, seed) };
  },
  publicKeyOf(privateKey) {
    checkBytes("privateKey", privateKey, publicKeyLength + seedLength);
    return copyBytes(xwing.keygen(privateKey.slice(publicKeyLength)).publicKey);
  },
  encapsulate(publicKey, random = randomBytes) {
    checkBytes("publicKey", publicKey, publicKeyLength);
    try {
      // 32 bytes for ML-KEM, then the ephemeral X25519 key.
      const { cipherText, sharedSecret } = xwing.encapsulate(copyBytes(publicKey), random(64));
      return { ciphertext: copyBytes(cipherText), sharedSecret: copyBytes(sharedSecret) };
    } catch (cause) {
      throw new RangeError("`publicKey` must be an X-Wing key", { cause });
    }
  },
  decapsulate(privateKey, ciphertext) {
    checkBytes("privateKey", privateKey, publicKeyLength + seedLength);
    checkBytes("ciphertext", ciphertext, ciphertextLength);
    try {
      return copyBytes(xwing.decapsulate(copyBytes(ciphertext), privateKey.slice(publicKeyLength)));
    } catch (cause) {
      throw new RangeError("`ciphertext` must not hold a point of low order", { cause });
    }
  },
};
