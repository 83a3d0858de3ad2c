/** X25519 as a KEM: hashed ElGamal with BLAKE2Xb. spec/mixnet §1.2. */
import { x25519PublicKey, x25519SharedSecret } from "#platform";
import { checkBytes, concatBytes, randomBytes } from "../bytes/bytes.js";
import { blake2xb } from "./blake2xb.js";
import type { KemScheme } from "./scheme.js";

const keyLength = 32;

/** The scheme `x25519`: keys, ciphertexts and secrets of 32 bytes. */
export const x25519Kem: KemScheme = {
  name: "x25519",
  publicKeyLength: keyLength,
  privateKeyLength: keyLength,
  ciphertextLength: keyLength,
  sharedSecretLength: keyLength,
  generate(random = randomBytes) {
    const privateKey = random(keyLength);
    return { publicKey: x25519PublicKey(privateKey), privateKey };
  },
  publicKeyOf: x25519PublicKey,
  encapsulate(publicKey, random = randomBytes) {
    checkBytes("publicKey", publicKey, keyLength);
    const ephemeral = random(keyLength);
    const secret = x25519SharedSecret(ephemeral, publicKey);
    const ciphertext = x25519PublicKey(ephemeral);
    const sharedSecret = blake2xb(secret, concatBytes(publicKey, ciphertext), keyLength);
    return { ciphertext, sharedSecret };
  },
  decapsulate(privateKey, ciphertext) {
    checkBytes("privateKey", privateKey, keyLength);
    checkBytes("ciphertext", ciphertext, keyLength);
    const secret = x25519SharedSecret(privateKey, ciphertext);
    const own = x25519PublicKey(privateKey);
    return blake2xb(secret, concatBytes(own, ciphertext), keyLength);
  },
};
