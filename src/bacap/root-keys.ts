/**
 * Root keys of capabilities, checked once and cached.
 *
 * A stream is written and read box by box with one root key. The slow work (decoding a point,
 * checking that a public half belongs to its seed, making tables for multiplication) is done once
 * per key, and the results are kept for recently used keys. The memory is bounded; tables take most
 * of it.
 *
 * So the seeds of recently written streams stay in memory, as they do in the capabilities
 * themselves.
 */
import { type Bytes, copyBytes, equalBytes, toHex } from "../bytes/bytes.js";
import {
  type CurvePoint,
  decodePoint,
  encodeBaseMultiple,
  encodeMultiple,
  multiplyScalars,
  rootScalar,
} from "./blinding.js";
import { RecentlyUsed } from "../bytes/recently-used.js";

/** How many root keys are kept: more streams than a program uses at a time. */
const keptKeys = 1024;

/** How many of them have a table, which takes about an eighth of a megabyte. */
const keptTables = 64;
/** Bits of a scalar per step with a table: a larger table would cost more than it saves. */
const tableWindow = 4;

/** How many box IDs of a stream are kept: a box is requested and opened with the same ID. */
const keptBoxIds = 16;

/**
 * The number of uses after which a point gets a table. Making one costs as much as 5
 * multiplications save, so a point with few uses should not pay for it.
 */
const usesBeforeTable = 5;

/** A stream's root key, as far as it is known. */
interface Root {
  /** Its public half as a point; null until a reader needs it. */
  point: CurvePoint | null;
  /** How often the point was multiplied. */
  uses: number;
  /** Its private half; null until a writer supplies it. */
  secret: { readonly seed: Bytes; readonly scalar: bigint } | null;
  /** Box IDs by blinding scalar. */
  readonly boxIds: RecentlyUsed<bigint, Bytes>;
}

/** Root keys by public half, in hex. */
const roots = new RecentlyUsed<string, Root>(keptKeys);
/**
 * Root keys with a table. One that is dropped gets a new point, because the old one keeps its
 * table.
 */
const withTable = new RecentlyUsed<string, Root>(keptTables, (root) => {
  root.point = null;
  root.uses = 0;
});

function rootOf(key: string): Root {
  let root = roots.get(key);
  if (root === undefined) {
    root = { point: null, uses: 0, secret: null, boxIds: new RecentlyUsed(keptBoxIds) };
    roots.set(key, root);
  }
  return root;
}

function secretOf(rootPrivateKey: Uint8Array): { root: Root; scalar: bigint } {
  const seed = rootPrivateKey.subarray(0, 32);
  const publicHalf = rootPrivateKey.subarray(32, 64);
  const key = toHex(publicHalf);
  const known = roots.get(key)?.secret;
  if (known && equalBytes(known.seed, seed)) return { root: rootOf(key), scalar: known.scalar };
  const scalar = rootScalar(seed);
  if (!equalBytes(encodeBaseMultiple(scalar), publicHalf)) {
    throw new RangeError("`writeCap` must hold a root public key that belongs to its seed");
  }
  const root = rootOf(key);
  root.secret = { seed: copyBytes(seed), scalar };
  return { root, scalar };
}

function pointOf(rootPublicKey: Uint8Array, root: Root): CurvePoint {
  try {
    return (root.point ??= decodePoint(rootPublicKey));
  } catch (cause) {
    throw new RangeError("`readCap` must hold a root public key that is a point of the curve", {
      cause,
    });
  }
}

/**
 * The box ID for a root key and f. The writer and the reader of a box are often in one process,
 * especially in tests; the ID is the same for both and is computed once.
 */
function boxIdOf(root: Root, f: bigint, compute: () => Bytes): Bytes {
  let boxId = root.boxIds.get(f);
  if (boxId === undefined) {
    boxId = compute();
    root.boxIds.set(f, boxId);
  }
  return copyBytes(boxId);
}

/**
 * Checks a root private key: seed (32) ‖ public key (32).
 * @throws RangeError when the public half does not belong to the seed: box IDs would use one and
 * signatures the other, and nobody could ever open such a box.
 */
export function checkRootPrivateKey(rootPrivateKey: Uint8Array): void {
  secretOf(rootPrivateKey);
}

/** Checks a root public key (32 bytes). @throws RangeError when it is not a point of the curve. */
export function checkRootPublicKey(rootPublicKey: Uint8Array): void {
  const key = toHex(rootPublicKey);
  const known = roots.get(key);
  if (known?.secret || known?.point) return;
  // Only valid keys are kept: an invalid one must not push out a key in use.
  const point = pointOf(rootPublicKey, {
    point: null,
    uses: 0,
    secret: null,
    boxIds: new RecentlyUsed(keptBoxIds),
  });
  rootOf(key).point = point;
}

/**
 * Private scalar a·f and encoding (32 bytes) of a·f·B, where a belongs to the root private key.
 * @throws as {@link checkRootPrivateKey}.
 */
export function blindRootPrivateKey(
  rootPrivateKey: Uint8Array,
  f: bigint,
): { readonly scalar: bigint; readonly boxId: Bytes } {
  const { root, scalar: a } = secretOf(rootPrivateKey);
  const scalar = multiplyScalars(a, f);
  return { scalar, boxId: boxIdOf(root, f, () => encodeBaseMultiple(scalar)) };
}

/**
 * Encoding (32 bytes) of f·P, where P is the root public key.
 * @throws RangeError when P is not a point of the curve.
 */
export function blindRootPublicKey(rootPublicKey: Uint8Array, f: bigint): Bytes {
  checkRootPublicKey(rootPublicKey);
  const key = toHex(rootPublicKey);
  const root = rootOf(key);
  return boxIdOf(root, f, () => {
    const point = pointOf(rootPublicKey, root);
    root.uses++;
    if (root.uses === usesBeforeTable) {
      point.precompute(tableWindow, false);
      withTable.set(key, root);
    } else {
      withTable.get(key);
    }
    return encodeMultiple(point, f);
  });
}
