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

/** How many root keys each store keeps: more than a program has streams in use at a time. */
const keptKeys = 1024;

/** How many of them have a table: one of window 6 takes about a third of a megabyte. */
const keptTables = 32;

/** How many box IDs of a stream are kept: a box is looked for and opened under the same one. */
const keptBoxIds = 16;

/**
 * From which use on a point gets a table. Making one costs as much as 15 multiplications save, so
 * a point that is used a few times must not pay for it.
 */
const usesBeforeTable = 16;

/** The newest `limit` entries by use. */
class RecentlyUsed<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;
  readonly #onDrop: ((value: V) => void) | undefined;

  constructor(limit: number, onDrop?: (value: V) => void) {
    this.#limit = limit;
    this.#onDrop = onDrop;
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
    for (const [oldest, dropped] of this.#entries) {
      this.#entries.delete(oldest);
      this.#onDrop?.(dropped);
      return;
    }
  }
}

interface PrivateRoot {
  readonly seed: Bytes;
  readonly scalar: bigint;
}

interface PublicRoot {
  point: CurvePoint;
  uses: number;
  /** Box IDs by blinding scalar, newest last. */
  readonly boxIds: Map<bigint, Bytes>;
}

const privateRoots = new RecentlyUsed<PrivateRoot>(keptKeys);
const publicRoots = new RecentlyUsed<PublicRoot>(keptKeys);
/** Those with a table; one that falls out gets a new point, for the old one keeps its table. */
const withTable = new RecentlyUsed<PublicRoot>(keptTables, (root) => {
  root.point = decodePoint(root.point.toBytes());
  root.uses = 0;
});

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
      root = { point: decodePoint(rootPublicKey), uses: 0, boxIds: new Map() };
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
  const known = root.boxIds.get(f);
  if (known !== undefined) return copyBytes(known);
  const key = toHex(rootPublicKey);
  root.uses++;
  if (root.uses === usesBeforeTable) {
    root.point.precompute(6, false);
    withTable.set(key, root);
  } else {
    withTable.get(key);
  }
  const boxId = encodeMultiple(root.point, f);
  root.boxIds.set(f, boxId);
  if (root.boxIds.size > keptBoxIds) {
    for (const oldest of root.boxIds.keys()) {
      root.boxIds.delete(oldest);
      break;
    }
  }
  return copyBytes(boxId);
}
