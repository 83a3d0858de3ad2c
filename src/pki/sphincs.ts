/**
 * Verifies SPHINCS+ signatures with the parameter set SHAKE-256f "robust" of NIST's round 3.1,
 * which differs from FIPS 205 (spec/mixnet §3.2).
 *
 * This implementation is our own, because no library has it. All its inputs are public, so its
 * variable time does not matter (docs/security.md, "SPHINCS+ verification"). It computes about
 * 18,000 hashes.
 */
import { shake256 } from "#platform";
import { type Bytes, concatBytes, equalBytes } from "../bytes/bytes.js";
import type { Pause, SignatureScheme } from "./signature-scheme.js";

/** Bytes of a hash. */
const n = 32;
/** Layers of trees, and the height of each. */
const layers = 17;
const treeHeight = 4;
/** Trees of the few-time signature at the bottom, and the height of each. */
const forsTrees = 35;
const forsHeight = 9;
/** Chains of a one-time signature: 64 for the message digest, 3 for its checksum. */
const chains = 67;
const messageDigits = 64;
const largestDigit = 15;

const forsLength = forsTrees * (1 + forsHeight) * n;
const layerLength = (chains + treeHeight) * n;
const signatureLength = n + forsLength + layers * layerLength;
const publicKeyLength = 2 * n;
/** Bytes of the digest that choose the leaves of the few-time trees. */
const forsDigestLength = 40;

const addressType = { wots: 0, wotsKey: 1, tree: 2, forsTree: 3, forsRoots: 4 } as const;

/** The position of a hash among all trees: 32 bytes that are part of its input. */
class Address {
  readonly bytes = new Uint8Array(32);
  readonly #view = new DataView(this.bytes.buffer);

  setTree(layer: number, tree: bigint): void {
    this.bytes[3] = layer;
    this.#view.setBigUint64(8, tree);
  }

  /** Sets the type, and the fields after it to zero. */
  setType(type: number, keyPair = 0): void {
    this.bytes.fill(0, 16);
    this.bytes[19] = type;
    this.bytes[23] = keyPair;
  }

  setChain(chain: number): void {
    this.bytes[27] = chain;
  }

  setHash(position: number): void {
    this.bytes[31] = position;
  }

  setNode(height: number, index: number): void {
    this.bytes[27] = height;
    this.#view.setUint32(28, index);
  }
}

/** The scheme's hash: it and the mask of its message both depend on the position. */
class Hasher {
  readonly #seed: Uint8Array;
  readonly #short = new Uint8Array(3 * n);

  constructor(seed: Uint8Array) {
    this.#seed = seed;
    this.#short.set(seed);
  }

  hash(address: Address, message: Uint8Array): Bytes {
    if (message.length === n) {
      const input = this.#short;
      input.set(address.bytes, n);
      const mask = shake256(n, input.subarray(0, 2 * n));
      for (let i = 0; i < n; i++) input[2 * n + i] = message[i]! ^ mask[i]!;
      return shake256(n, input);
    }
    const masked = shake256(message.length, this.#seed, address.bytes);
    for (let i = 0; i < message.length; i++) masked[i]! ^= message[i]!;
    return shake256(n, this.#seed, address.bytes, masked);
  }
}

/**
 * The root that follows from a leaf and its authentication path; `offset` is the number of the
 * tree's first leaf.
 */
function rootOf(
  hasher: Hasher,
  address: Address,
  leaf: Uint8Array,
  index: number,
  way: Uint8Array,
  offset = 0,
): Uint8Array {
  let node = leaf;
  for (let height = 1; height * n <= way.length; height++) {
    const other = way.subarray((height - 1) * n, height * n);
    address.setNode(height, (offset + index) >> height);
    const isRight = (index >> (height - 1)) & 1;
    node = hasher.hash(address, isRight ? concatBytes(other, node) : concatBytes(node, other));
  }
  return node;
}

/** The leaves that a message chooses: nine bits each, lowest bit of each byte first. */
function forsIndices(digest: Uint8Array): number[] {
  return Array.from({ length: forsTrees }, (_, tree) => {
    let index = 0;
    for (let bit = 0; bit < forsHeight; bit++) {
      const at = tree * forsHeight + bit;
      index |= ((digest[at >> 3]! >> (at & 7)) & 1) << bit;
    }
    return index;
  });
}

/** How many steps of each chain the signer took. */
function chainDigits(message: Uint8Array): number[] {
  const digits: number[] = [];
  for (const byte of message) digits.push(byte >> 4, byte & 15);
  let checksum = 0;
  for (let i = 0; i < messageDigits; i++) checksum += largestDigit - digits[i]!;
  checksum <<= 4;
  digits.push(checksum >> 12, (checksum >> 8) & 15, (checksum >> 4) & 15);
  return digits;
}

/**
 * Whether `signature` (49,856 bytes) is valid for `message` under `publicKey` (64 bytes). It takes
 * 0.1 to 0.5 s of work, in steps of about a millisecond, and calls `pause` between them. Never
 * rejects: a wrong length gives `false`.
 */
async function verify(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
  pause: Pause,
): Promise<boolean> {
  if (signature.length !== signatureLength || publicKey.length !== publicKeyLength) return false;
  const hasher = new Hasher(publicKey.subarray(0, n));
  const address = new Address();
  let at = n;
  const take = (length: number): Uint8Array => signature.subarray(at, (at += length));

  const digest = shake256(forsDigestLength + 8 + 1, signature.subarray(0, n), publicKey, message);
  let tree = new DataView(digest.buffer).getBigUint64(forsDigestLength);
  let leaf = digest[forsDigestLength + 8]! & 15;

  address.setTree(0, tree);
  address.setType(addressType.forsTree, leaf);
  const roots: Uint8Array[] = [];
  for (const [number, index] of forsIndices(digest).entries()) {
    const offset = number << forsHeight;
    address.setNode(0, offset + index);
    const leafHash = hasher.hash(address, take(n));
    roots.push(rootOf(hasher, address, leafHash, index, take(forsHeight * n), offset));
    await pause();
  }
  address.setType(addressType.forsRoots, leaf);
  let node: Uint8Array = hasher.hash(address, concatBytes(...roots));

  for (let layer = 0; layer < layers; layer++) {
    address.setTree(layer, tree);
    address.setType(addressType.wots, leaf);
    const ends: Uint8Array[] = [];
    for (const [chain, digit] of chainDigits(node).entries()) {
      let value = take(n);
      address.setChain(chain);
      for (let position = digit; position < largestDigit; position++) {
        address.setHash(position);
        value = hasher.hash(address, value);
      }
      ends.push(value);
      await pause();
    }
    address.setType(addressType.wotsKey, leaf);
    const key = hasher.hash(address, concatBytes(...ends));
    address.setType(addressType.tree);
    node = rootOf(hasher, address, key, leaf, take(treeHeight * n));
    leaf = Number(tree & 15n);
    tree >>= 4n;
  }
  return equalBytes(node, publicKey.subarray(n));
}

/** The SPHINCS+ scheme: keys of 64 bytes, signatures of 49,856. */
export const sphincsSignatures: SignatureScheme = {
  name: "Sphincs+",
  publicKeyLength,
  signatureLength,
  verify,
};
