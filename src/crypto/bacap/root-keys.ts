/**
 * Root keys of capabilities, checked once and kept.
 *
 * A stream is written and read box by box with one root key, so what costs time (decoding a point,
 * checking that a public half belongs to its seed, tables for multiplying) is done once per key and
 * kept for the keys used last. Both stores are bounded; tables are the largest part of them.
 *
 * Seeds of the streams written last thus stay in memory, as they do in the capabilities themselves.
 */
import { type Bytes, copyBytes, equalBytes, toHex } from "../../bytes/bytes.js";
import {
  type CurvePoint,
  decodePoint,
  encodeBaseMultiple,
  encodeMultiple,
  rootScalar,
} from "./blinding.js";

/** How many root keys each store keeps. A table of window 6 is about a third of a megabyte. */
const keptKeys = 16;

/**
 * From which use on a point gets a table. Making one costs as much as 15 multiplications save, so
 * a point that is used a few times must not pay for it.
 */
const usesBeforeTable = 16;

/** The newest `limit` entries by use. */
class RecentlyUsed<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#limit) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}

interface PrivateRoot {
  readonly seed: Bytes;
  readonly scalar: bigint;
}

interface PublicRoot {
  readonly point: CurvePoint;
  uses: number;
}

const privateRoots = new RecentlyUsed<PrivateRoot>(keptKeys);
const publicRoots = new RecentlyUsed<PublicRoot>(keptKeys);

/**
 * Private scalar of a root private key: seed (32) ‖ public key (32).
 * @throws RangeError when the public half does not belong to the seed; box IDs would follow the one
 * and signatures the other, and nobody could ever open such a box.
 */
export function rootScalarOf(rootPrivateKey: Uint8Array): bigint {
  const seed = rootPrivateKey.subarray(0, 32);
  const publicHalf = rootPrivateKey.subarray(32, 64);
  const key = toHex(publicHalf);
  const kept = privateRoots.get(key);
  if (kept !== undefined && equalBytes(kept.seed, seed)) return kept.scalar;
  const scalar = rootScalar(seed);
  if (!equalBytes(encodeBaseMultiple(scalar), publicHalf)) {
    throw new RangeError("`writeCap` must hold a root public key that belongs to its seed");
  }
  privateRoots.set(key, { seed: copyBytes(seed), scalar });
  return scalar;
}

function publicRoot(rootPublicKey: Uint8Array): PublicRoot {
  const key = toHex(rootPublicKey);
  let root = publicRoots.get(key);
  if (root === undefined) {
    try {
      root = { point: decodePoint(rootPublicKey), uses: 0 };
    } catch (cause) {
      throw new RangeError("`readCap` must hold a root public key that is a point of the curve", {
        cause,
      });
    }
    publicRoots.set(key, root);
  }
  return root;
}

/** Checks a root public key (32 bytes). @throws RangeError when it is no point of the curve. */
export function checkRootPublicKey(rootPublicKey: Uint8Array): void {
  publicRoot(rootPublicKey);
}

/**
 * Encoding (32 bytes) of f·P, P being the root public key.
 * @throws RangeError when P is no point of the curve.
 */
export function blindRootPublicKey(rootPublicKey: Uint8Array, f: bigint): Bytes {
  const root = publicRoot(rootPublicKey);
  root.uses++;
  if (root.uses === usesBeforeTable) root.point.precompute(6, false);
  return encodeMultiple(root.point, f);
}
