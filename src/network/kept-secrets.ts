/**
 * Key exchanges that the servers of an embedded network do not compute twice. They are most of a
 * network's work: a question about a missing box causes two rounds to two replicas, and each of
 * them asks both shards of the box.
 */
import { type Bytes, toHex } from "../bytes/bytes.js";
import { hash256 } from "../bytes/hash.js";
import { RecentlyUsed } from "../bytes/recently-used.js";
import type { MaybePromise, NikeKeyPair, NikeScheme } from "../crypto/nike/scheme.js";

/** How many shared secrets are kept for each private key. */
const keptSecrets = 1024;
/** How many messages are sealed with one ephemeral key pair. */
const usesOfOnePair = 1024;

/**
 * The same scheme, which remembers the hashed secrets of each private key for as long as that key
 * object exists. A replica opens an envelope again when a courier dispatches it again.
 */
export function keepSecrets(scheme: NikeScheme): NikeScheme {
  const byPrivateKey = new WeakMap<Uint8Array, RecentlyUsed<string, Promise<Bytes>>>();
  const compute = async (privateKey: Uint8Array, publicKey: Uint8Array): Promise<Bytes> =>
    hash256(await scheme.sharedSecret(privateKey, publicKey));
  return {
    ...scheme,
    hashedSecret(privateKey, publicKey) {
      let kept = byPrivateKey.get(privateKey);
      if (!kept) byPrivateKey.set(privateKey, (kept = new RecentlyUsed(keptSecrets)));
      const name = toHex(publicKey);
      let secret = kept.get(name);
      // A failure is kept too, because the same keys fail again.
      if (secret === undefined) kept.set(name, (secret = compute(privateKey, publicKey)));
      return secret;
    },
  };
}

/**
 * The same scheme for a server that sends many messages to a few replicas: `generate` returns one
 * pair many times, and shared secrets are kept, so most messages cost no key exchange at all. The
 * messages on the wire have the same form. Real servers use a pair only once, so that nobody who
 * later learns a replica's key can open them; here all replicas are in one process.
 */
export function reuseKeys(scheme: NikeScheme): NikeScheme {
  let pair: MaybePromise<NikeKeyPair> | null = null;
  let left = 0;
  return {
    ...keepSecrets(scheme),
    generate(random) {
      if (pair === null || left === 0) {
        const made = scheme.generate(random);
        pair = made;
        left = usesOfOnePair;
        // A pair that could not be made is not used again.
        if (made instanceof Promise) made.catch(() => pair === made && (pair = null));
      }
      left--;
      return pair;
    },
  };
}
