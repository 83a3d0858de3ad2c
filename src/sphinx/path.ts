/** The path of a packet, and the secrets that its creator shares with every hop. */
import { x25519PublicKey, x25519SharedSecret } from "#platform";
import { type Bytes, type RandomSource, checkBytes, concatBytes } from "../bytes/bytes.js";
import type { KemScheme } from "../kem/scheme.js";
import type { RoutingCommand } from "./commands.js";
import { type HopKeys, blindingScalar, hopKeys } from "./primitives.js";

/** One hop of a packet's path. */
export interface SphinxHop {
  /** Identity hash of the node, 32 bytes. */
  readonly id: Uint8Array;
  /** Its Sphinx key for the epoch in which the packet arrives: 32 bytes with x25519. */
  readonly publicKey: Uint8Array;
  /** Its commands, without NextNodeHop. */
  readonly commands: readonly RoutingCommand[];
}

/** The secrets that a packet's creator and one of its hops share. */
export interface HopSecret {
  /** The group element or KEM ciphertext that the hop sees in the header. */
  readonly element: Bytes;
  readonly keys: HopKeys;
}

/**
 * How hops derive their secrets, and how they change the header's element for the next hop: with a
 * NIKE by blinding, with a KEM by taking the next ciphertext from the hop's block.
 */
export interface HopScheme {
  /** Length of an element in bytes. */
  readonly elementLength: number;
  /** Bytes of each hop's block for the next element: 0 with a NIKE. */
  readonly elementInBlock: number;
  /** Makes one secret per hop. @throws RangeError naming the hop whose key cannot be used. */
  share(path: readonly SphinxHop[], random: RandomSource): HopSecret[];
  /**
   * A hop's keys, from its private key and the header's element.
   * @throws RangeError when the element cannot be used, for example because it is of low order.
   */
  open(privateKey: Uint8Array, element: Uint8Array): HopKeys;
  /** The element for the next hop; `carried` is the part of the block for it. */
  next(element: Uint8Array, keys: HopKeys, carried: Uint8Array): Bytes;
}

function usable<T>(hop: number, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    throw new RangeError(`\`path[${hop}].publicKey\` cannot be used`, { cause });
  }
}

/** The scheme with X25519 (spec/mixnet §4.3). */
export const x25519Hops: HopScheme = {
  elementLength: 32,
  elementInBlock: 0,
  share(path, random) {
    const own = random(32);
    let element = x25519PublicKey(own);
    const blindings: Bytes[] = [];
    return path.map(({ publicKey }, hop) => {
      const secret = usable(hop, () => {
        let shared = x25519SharedSecret(own, publicKey);
        for (const blinding of blindings) shared = x25519SharedSecret(blinding, shared);
        return shared;
      });
      const keys = hopKeys(secret);
      const shown = element;
      if (hop < path.length - 1) {
        const blinding = blindingScalar(keys);
        blindings.push(blinding);
        element = x25519SharedSecret(blinding, element);
      }
      return { element: shown, keys };
    });
  },
  open: (privateKey, element) => hopKeys(x25519SharedSecret(privateKey, element)),
  next: (element, keys) => x25519SharedSecret(blindingScalar(keys), element),
};

/** The scheme with a KEM (spec/mixnet §4.3). */
export function kemHops(kem: KemScheme): HopScheme {
  return {
    elementLength: kem.ciphertextLength,
    elementInBlock: kem.ciphertextLength,
    share: (path, random) =>
      path.map(({ publicKey }, hop) => {
        const { ciphertext, sharedSecret } = usable(hop, () => kem.encapsulate(publicKey, random));
        return { element: ciphertext, keys: hopKeys(sharedSecret) };
      }),
    open: (privateKey, element) => hopKeys(kem.decapsulate(privateKey, element)),
    next: (_element, _keys, carried) => concatBytes(carried),
  };
}

/** Checks a caller's path. @throws TypeError or RangeError naming what is wrong. */
export function checkPath(path: readonly SphinxHop[], nrHops: number): void {
  if (!Array.isArray(path)) throw new TypeError("`path` must be an array of hops");
  if (path.length < 1 || path.length > nrHops) {
    throw new RangeError(`\`path\` must have 1 to ${nrHops} hops, got ${path.length}`);
  }
  for (const [i, hop] of (path as readonly SphinxHop[]).entries()) {
    checkBytes(`path[${i}].id`, hop.id, 32);
    checkBytes(`path[${i}].publicKey`, hop.publicKey);
    if (hop.commands.some(({ type }) => type === "NextNodeHop")) {
      throw new RangeError(`\`path[${i}].commands\` must not have a NextNodeHop`);
    }
  }
}
