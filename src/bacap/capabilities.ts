/** Makes, checks and takes apart capabilities (spec/pigeonhole §1.1 and §1.2). */
import {
  type Bytes,
  type RandomSource,
  checkBytes,
  concatBytes,
  randomBytes,
} from "../bytes/bytes.js";
import { type MessageBoxIndex, ReadCap, WriteCap, checkWriteCap } from "../bytes/opaque.js";
import { chacha20Random } from "./seeded-random.js";
import { encodeBaseMultiple, rootScalar } from "./blinding.js";
import { mutateMessageBoxIndex, stepFrom } from "./message-box-index.js";
import { checkRootPrivateKey, checkRootPublicKey } from "./root-keys.js";

/** Length of a root private key (seed ‖ public key) at the beginning of a WriteCap, in bytes. */
const rootPrivateKeyLength = 64;
/** Length of a root public key at the beginning of a ReadCap, in bytes. */
const rootPublicKeyLength = 32;

/** A new stream: its two capabilities and its first index. */
export interface Keypair {
  /** The right to write and read: 168 bytes. Secret. */
  readonly writeCap: WriteCap;
  /** The right to read, for readers: 136 bytes, the WriteCap's bytes from 32 on. */
  readonly readCap: ReadCap;
  /** The index of the first box: 104 bytes, with which both capabilities end. */
  readonly firstMessageIndex: MessageBoxIndex;
}

/** Eight bytes as a little-endian integer below 2^62. */
function startTerm(bytes: Bytes): bigint {
  return new DataView(bytes.buffer).getBigUint64(0, true) & 0x3fff_ffff_ffff_ffffn;
}

/**
 * A stream's keys from a source of random bytes. It draws 80 bytes: root seed (32), ratchet state
 * (32), and two terms (8 each, top two bits cleared) whose sum is the counter before the first box.
 * Throws only what `random` throws.
 */
export function generateKeypair(random: RandomSource = randomBytes): Keypair {
  const seed = random(32);
  const state = random(32);
  const start = startTerm(random(8)) + startTerm(random(8));
  const firstMessageIndex = stepFrom(start, state);
  const rootPublicKey = encodeBaseMultiple(rootScalar(seed));
  const readCap = concatBytes(rootPublicKey, firstMessageIndex) as ReadCap;
  return { writeCap: concatBytes(seed, readCap) as WriteCap, readCap, firstMessageIndex };
}

/**
 * The keys that a 32-byte seed determines: {@link generateKeypair} on its ChaCha20 stream.
 * @throws TypeError, RangeError when `seed` is not 32 bytes.
 */
export function keypairFromSeed(seed: Uint8Array): Keypair {
  checkBytes("seed", seed, 32);
  return generateKeypair(chacha20Random(seed));
}

/**
 * Checks `bytes` and returns them as a WriteCap, as a copy.
 * @throws TypeError, RangeError when it is not 168 bytes, or its public half does not belong to its
 * seed (the reference accepts such a cap and makes boxes with it that nobody can open).
 */
export function parseWriteCap(bytes: Uint8Array): WriteCap {
  const writeCap = WriteCap.from(bytes);
  checkRootPrivateKey(writeCap.subarray(0, rootPrivateKeyLength));
  return writeCap;
}

/**
 * Checks `bytes` and returns them as a ReadCap, as a copy.
 * @throws TypeError, RangeError when it is not 136 bytes, or its root key is not a point of the
 * curve.
 */
export function parseReadCap(bytes: Uint8Array): ReadCap {
  const readCap = ReadCap.from(bytes);
  checkRootPublicKey(readCap.subarray(0, rootPublicKeyLength));
  return readCap;
}

/** Whether a capability is a WriteCap, by its length. */
export function isWriteCap(cap: WriteCap | ReadCap): cap is WriteCap {
  return cap.length === WriteCap.length;
}

/** Checks the length of either capability. @throws TypeError, RangeError otherwise. */
export function checkCap(cap: WriteCap | ReadCap): void {
  checkBytes("cap", cap);
  if (cap.length !== WriteCap.length) checkBytes("cap", cap, ReadCap.length!);
}

/** Root private key of a WriteCap (64 bytes; a view). */
export function rootPrivateKeyOf(writeCap: WriteCap): Uint8Array {
  checkWriteCap("writeCap", writeCap);
  return writeCap.subarray(0, rootPrivateKeyLength);
}

/** Root public key of either capability (32 bytes; a view). */
export function rootPublicKeyOf(cap: WriteCap | ReadCap): Uint8Array {
  checkCap(cap);
  return isWriteCap(cap) ? cap.subarray(32, 64) : cap.subarray(0, rootPublicKeyLength);
}

/** The ReadCap of a WriteCap: its bytes from 32 on. Throws RangeError for a wrong length. */
export function readCapOf(writeCap: WriteCap): ReadCap {
  checkWriteCap("writeCap", writeCap);
  return concatBytes(writeCap.subarray(32)) as ReadCap;
}

/**
 * The index that a capability starts at: its last 104 bytes. Throws RangeError for a wrong length.
 */
export function firstIndexOf(cap: WriteCap | ReadCap): MessageBoxIndex {
  checkCap(cap);
  return concatBytes(cap.subarray(isWriteCap(cap) ? 64 : 32)) as MessageBoxIndex;
}

/** The capability with another index: its beginning, then `index`. */
export function withIndex<C extends WriteCap | ReadCap>(cap: C, index: MessageBoxIndex): C {
  const headLength = isWriteCap(cap) ? rootPrivateKeyLength : rootPublicKeyLength;
  return concatBytes(cap.subarray(0, headLength), index) as C;
}

/**
 * The capability of the stream that `salt` leads to (spec/pigeonhole §1.3). Mutating a WriteCap and
 * taking its ReadCap equals mutating the ReadCap.
 * @throws TypeError, RangeError when `cap` has the length of neither capability; TypeError when
 * `salt` is not a byte array. Any length of `salt` is allowed; vouchers use 32 bytes.
 */
export function mutateCap<C extends WriteCap | ReadCap>(cap: C, salt: Uint8Array): C {
  return withIndex(cap, mutateMessageBoxIndex(firstIndexOf(cap), salt));
}
