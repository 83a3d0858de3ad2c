/** Combines two KEMs with the split-PRF combiner (spec/mixnet §1.3). */
import { blake2b } from "@noble/hashes/blake2.js";
import { type Bytes, checkBytes, concatBytes, copyBytes, utf8 } from "../bytes/bytes.js";
import type { KemScheme } from "./scheme.js";

const label = utf8("splitprf-v1");

function u32be(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/**
 * Combines several secrets into one (32 bytes) that is secure as long as one of them is. Each
 * secret keys a hash over all ciphertexts; the results are XORed.
 */
export function splitPrf(
  sharedSecrets: readonly Uint8Array[],
  ciphertexts: readonly Uint8Array[],
): Bytes {
  const message = concatBytes(
    label,
    u32be(ciphertexts.length),
    ...ciphertexts.flatMap((ciphertext) => [u32be(ciphertext.length), ciphertext]),
  );
  const combined = new Uint8Array(32);
  for (const secret of sharedSecrets) {
    const key = blake2b(secret, { dkLen: 32 });
    const part = blake2b(message, { dkLen: 32, key });
    for (let i = 0; i < 32; i++) combined[i]! ^= part[i]!;
  }
  return combined;
}

/** The scheme whose keys and ciphertexts are those of `first`, then those of `second`. */
export function hybridKem(name: string, first: KemScheme, second: KemScheme): KemScheme {
  const split = (
    what: "publicKey" | "privateKey" | "ciphertext",
    bytes: Uint8Array,
  ): readonly [Bytes, Bytes] => {
    checkBytes(what, bytes, scheme[`${what}Length`]);
    const at = first[`${what}Length`];
    return [copyBytes(bytes.subarray(0, at)), copyBytes(bytes.subarray(at))];
  };
  const scheme: KemScheme = {
    name,
    publicKeyLength: first.publicKeyLength + second.publicKeyLength,
    privateKeyLength: first.privateKeyLength + second.privateKeyLength,
    ciphertextLength: first.ciphertextLength + second.ciphertextLength,
    sharedSecretLength: 32,
    generate(random) {
      const one = first.generate(random);
      const two = second.generate(random);
      return {
        publicKey: concatBytes(one.publicKey, two.publicKey),
        privateKey: concatBytes(one.privateKey, two.privateKey),
      };
    },
    publicKeyOf(privateKey) {
      const [one, two] = split("privateKey", privateKey);
      return concatBytes(first.publicKeyOf(one), second.publicKeyOf(two));
    },
    encapsulate(publicKey, random) {
      const [keyOne, keyTwo] = split("publicKey", publicKey);
      const one = first.encapsulate(keyOne, random);
      const two = second.encapsulate(keyTwo, random);
      return {
        ciphertext: concatBytes(one.ciphertext, two.ciphertext),
        sharedSecret: splitPrf(
          [one.sharedSecret, two.sharedSecret],
          [one.ciphertext, two.ciphertext],
        ),
      };
    },
    decapsulate(privateKey, ciphertext) {
      const [keyOne, keyTwo] = split("privateKey", privateKey);
      const parts = split("ciphertext", ciphertext);
      const secrets = [first.decapsulate(keyOne, parts[0]), second.decapsulate(keyTwo, parts[1])];
      return splitPrf(secrets, parts);
    },
  };
  return scheme;
}
