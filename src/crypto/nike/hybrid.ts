/**
 * Two NIKEs as one: keys and secrets are those of the two parts, concatenated without a separator
 * or key derivation (MKEM hashes the whole). spec/pigeonhole §3.
 */
import { concatBytes } from "../../bytes/bytes.js";
import { type NikeScheme, checkPrivateKeyLength, checkPublicKeyLength } from "./scheme.js";
import { x25519Nike } from "./x25519.js";

/**
 * The scheme whose fields are those of `first`, then those of `second`. Asynchronous parts work in
 * parallel; key generation draws all of the first part before the second.
 * @param name canonical name of the whole, which does not always show the order.
 */
export function hybridNike(name: string, first: NikeScheme, second: NikeScheme): NikeScheme {
  const splitPrivate = (privateKey: Uint8Array) => {
    checkPrivateKeyLength(scheme, privateKey);
    const at = first.privateKeyLength;
    return [privateKey.slice(0, at), privateKey.slice(at)] as const;
  };
  const splitPublic = (publicKey: Uint8Array) => {
    checkPublicKeyLength(scheme, publicKey);
    const at = first.publicKeyLength;
    return [publicKey.slice(0, at), publicKey.slice(at)] as const;
  };
  const scheme: NikeScheme = {
    name,
    publicKeyLength: first.publicKeyLength + second.publicKeyLength,
    privateKeyLength: first.privateKeyLength + second.privateKeyLength,
    async generate(random) {
      const one = await first.generate(random);
      const two = await second.generate(random);
      return {
        publicKey: concatBytes(one.publicKey, two.publicKey),
        privateKey: concatBytes(one.privateKey, two.privateKey),
      };
    },
    async publicKeyOf(privateKey) {
      const [one, two] = splitPrivate(privateKey);
      return concatBytes(...(await Promise.all([first.publicKeyOf(one), second.publicKeyOf(two)])));
    },
    async sharedSecret(privateKey, publicKey) {
      const [privateOne, privateTwo] = splitPrivate(privateKey);
      const [publicOne, publicTwo] = splitPublic(publicKey);
      // The first part may refuse its key at once; then the second does not have to work for a
      // second.
      const secretOne = await first.sharedSecret(privateOne, publicOne);
      return concatBytes(secretOne, await second.sharedSecret(privateTwo, publicTwo));
    },
    async checkPublicKey(publicKey) {
      const [one, two] = splitPublic(publicKey);
      await first.checkPublicKey(one);
      await second.checkPublicKey(two);
    },
  };
  return scheme;
}

/**
 * `CTIDH1024-X25519`, the scheme of deployed networks: X25519 first, then CTIDH1024, despite the
 * name. Public keys of 160 bytes, private keys of 162.
 * @param ctidh1024 the isogeny half, which is slow: usually one that works in a worker.
 */
export function ctidh1024X25519Nike(ctidh1024: NikeScheme): NikeScheme {
  return hybridNike("CTIDH1024-X25519", x25519Nike, ctidh1024);
}

/** The same scheme under its other name, `X25519-CTIDH1024`. */
export function x25519Ctidh1024Nike(ctidh1024: NikeScheme): NikeScheme {
  return hybridNike("X25519-CTIDH1024", x25519Nike, ctidh1024);
}
