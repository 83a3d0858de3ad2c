/**
 * Indices of a stream's boxes, and the ratchet from each to the next (spec/pigeonhole §1.1 and
 * §1.3).
 *
 * A MessageBoxIndex is counter (8, little-endian) ‖ blinding factor K (32) ‖ encryption key E (32)
 * ‖ ratchet state H (32). K and E belong to the box at this index; H makes the next index.
 */
import { hkdfBlake2b512 } from "#platform";
import { checkBytes, utf8 } from "../bytes/bytes.js";
import { MessageBoxIndex } from "../bytes/opaque.js";

const counterLength = 8;
const blindingFactorOffset = 8;
const encryptionKeyOffset = 40;
const stateOffset = 72;
const keyLength = 32;
const rewindText = "cannot rewind index: target index is less than current index";
const noSalt = new Uint8Array(0);
const mutationInfo = utf8("bacap-mutate-kdf-state-v1");

/** The highest counter; no index follows it. */
const lastCounter = 0xffff_ffff_ffff_ffffn;

function checkIndex(index: Uint8Array): void {
  checkBytes("messageBoxIndex", index, 104);
}

/** Sets an index's keys and state from 96 bytes of key material, in the order H, E, K. */
function setKeys(index: Uint8Array, material: Uint8Array): void {
  index.set(material.subarray(64, 96), blindingFactorOffset);
  index.set(material.subarray(32, 64), encryptionKeyOffset);
  index.set(material.subarray(0, 32), stateOffset);
}

/** The index after (counter, state). The counter must not be the last one. */
export function stepFrom(counter: bigint, state: Uint8Array): MessageBoxIndex {
  const index = new Uint8Array(stateOffset + keyLength);
  const view = new DataView(index.buffer);
  view.setBigUint64(0, counter, true);
  setKeys(index, hkdfBlake2b512(state, noSalt, index.subarray(0, counterLength), 96));
  view.setBigUint64(0, counter + 1n, true);
  return index as MessageBoxIndex;
}

/**
 * Checks the length of `bytes` and returns them as an index, as a copy.
 * @throws TypeError, RangeError when it is not 104 bytes.
 */
export function parseMessageBoxIndex(bytes: Uint8Array): MessageBoxIndex {
  return MessageBoxIndex.from(bytes);
}

/** The counter of an index: an unsigned 64-bit integer. Throws RangeError for a wrong length. */
export function messageBoxCounter(index: MessageBoxIndex): bigint {
  checkIndex(index);
  return new DataView(index.buffer, index.byteOffset, index.length).getBigUint64(0, true);
}

/** Blinding factor K of the box at this index (32 bytes; a view). */
export function blindingFactorOf(index: MessageBoxIndex): Uint8Array {
  return index.subarray(blindingFactorOffset, blindingFactorOffset + keyLength);
}

/** Encryption key E of the box at this index (32 bytes; a view). */
export function encryptionKeyOf(index: MessageBoxIndex): Uint8Array {
  return index.subarray(encryptionKeyOffset, encryptionKeyOffset + keyLength);
}

/**
 * The index after `index`.
 * @throws RangeError at counter 2^64 − 1, the last one, or for a wrong length.
 */
export function nextMessageBoxIndex(index: MessageBoxIndex): MessageBoxIndex {
  const counter = messageBoxCounter(index);
  if (counter === lastCounter) throw new RangeError(rewindText);
  return stepFrom(counter, index.subarray(stateOffset, stateOffset + keyLength));
}

/**
 * The index at `counter`, computed step by step. The time grows with the distance (about 20 µs per
 * step in Node), so check a counter that a stranger chose before you pass it.
 * @throws RangeError when `counter` is before the index or is not an unsigned 64-bit integer, or
 * for a wrong length.
 */
export function advanceMessageBoxIndex(index: MessageBoxIndex, counter: bigint): MessageBoxIndex {
  const current = messageBoxCounter(index);
  if (typeof counter !== "bigint" || counter < 0n || counter > lastCounter) {
    throw new RangeError("`counter` must be a bigint from 0 to 2^64 - 1");
  }
  if (counter < current) throw new RangeError(rewindText);
  let place = parseMessageBoxIndex(index);
  for (let at = current; at < counter; at++) place = nextMessageBoxIndex(place);
  return place;
}

/**
 * The index with the same counter on the stream that `salt` leads to (contact vouchers). Mutating a
 * write cap's index and a read cap's index by the same salt gives the same stream.
 * @throws TypeError, RangeError when `index` is not 104 bytes; TypeError when `salt` is not a byte
 * array.
 */
export function mutateMessageBoxIndex(index: MessageBoxIndex, salt: Uint8Array): MessageBoxIndex {
  checkIndex(index);
  checkBytes("salt", salt);
  const material = hkdfBlake2b512(
    index.subarray(stateOffset, stateOffset + keyLength),
    salt,
    mutationInfo,
    96,
  );
  const mutated = parseMessageBoxIndex(index);
  setKeys(mutated, material);
  return mutated;
}
