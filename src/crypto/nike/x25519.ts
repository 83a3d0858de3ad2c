/** X25519 (RFC 7748) as a NIKE scheme. Private keys are stored as drawn, and clamped when used. */
import { offThreadX25519, x25519PublicKey, x25519SharedSecret } from "#platform";
import { type Bytes, type RandomSource, randomBytes } from "../../bytes/bytes.js";
import {
  type NikeKeyPair,
  type NikeScheme,
  checkPrivateKeyLength,
  checkPublicKeyLength,
} from "./scheme.js";

/** X25519, whose operations answer at once. */
export interface X25519Nike extends NikeScheme {
  generate(random?: RandomSource): NikeKeyPair;
  publicKeyOf(privateKey: Uint8Array): Bytes;
  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Bytes;
  checkPublicKey(publicKey: Uint8Array): void;
}

/** The scheme `x25519`: keys and secrets of 32 bytes. */
export const x25519Nike: X25519Nike = {
  name: "x25519",
  publicKeyLength: 32,
  privateKeyLength: 32,
  generate(random = randomBytes) {
    const privateKey = random(32);
    return { privateKey, publicKey: x25519PublicKey(privateKey) };
  },
  publicKeyOf(privateKey) {
    checkPrivateKeyLength(x25519Nike, privateKey);
    return x25519PublicKey(privateKey);
  },
  sharedSecret(privateKey, publicKey) {
    checkPrivateKeyLength(x25519Nike, privateKey);
    checkPublicKeyLength(x25519Nike, publicKey);
    return x25519SharedSecret(privateKey, publicKey);
  },
  checkPublicKey(publicKey) {
    checkPublicKeyLength(x25519Nike, publicKey);
  },
};

/**
 * The same scheme in this platform's fastest implementation, which may be asynchronous: WebCrypto
 * in a page.
 */
export function fastX25519Nike(): NikeScheme {
  const elsewhere = offThreadX25519;
  if (elsewhere === null) return x25519Nike;
  return {
    ...x25519Nike,
    async generate(random = randomBytes) {
      const privateKey = random(32);
      return { privateKey, publicKey: await elsewhere.publicKey(privateKey) };
    },
    publicKeyOf: (privateKey) => elsewhere.publicKey(privateKey),
    sharedSecret: (privateKey, publicKey) => elsewhere.sharedSecret(privateKey, publicKey),
  };
}
