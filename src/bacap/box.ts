/**
 * Boxes: naming, encrypting, signing, opening. spec/pigeonhole §1.4 to §1.7.
 *
 * The context is a byte string that keeps uses of one capability apart. Pigeonhole has only one,
 * and everybody uses it: {@link PIGEONHOLE_CONTEXT}.
 */
import { gcmsiv } from "@noble/ciphers/aes.js";
import { ed25519Verify, hkdfBlake2b512 } from "#platform";
import { type Bytes, type PlainBytes, checkBytes, equalBytes, utf8 } from "../bytes/bytes.js";
import { MessageBoxIndex, type ReadCap, type WriteCap } from "../bytes/opaque.js";
import { BACAPDecryptionFailedError } from "../errors/errors.js";
import { blindingScalar, signWithScalar } from "./blinding.js";
import { checkCap, isWriteCap, rootPrivateKeyOf, rootPublicKeyOf } from "./capabilities.js";
import { blindingFactorOf, encryptionKeyOf } from "./message-box-index.js";
import { blindRootPrivateKey, blindRootPublicKey } from "./root-keys.js";

/** The context of all Pigeonhole boxes (18 bytes). Read only: it is shared. */
export const PIGEONHOLE_CONTEXT: Uint8Array = utf8("pigeonhole context");

/** Length of a box ID in bytes: a blinded Ed25519 public key. */
export const BOX_ID_LENGTH = 32;
/** Length of a box's signature in bytes. */
export const BOX_SIGNATURE_LENGTH = 64;
/** How much longer a box's ciphertext is than its plaintext, in bytes: the AEAD's tag. */
export const BOX_OVERHEAD = 16;

const emptyBytes = new Uint8Array(0);
const gcmSivNonceLength = 12;

/** A box as replicas store it. */
export interface Box {
  /** Name of the box, 32 bytes. */
  readonly boxId: Bytes;
  /**
   * What it holds: ciphertext ‖ tag (16 bytes more than the plaintext), or nothing: a tombstone.
   */
  readonly ciphertext: Bytes;
  /** Signature over `ciphertext` under `boxId`, 64 bytes. */
  readonly signature: Bytes;
}

/** What a box was found to hold. */
export type OpenedBox =
  | {
      /** A message, encrypted and signed by the stream's writer. */
      readonly kind: "message";
      /**
       * What {@link encryptBox} was given. Daemons give it a length (4 bytes, big-endian), the
       * message, and zeros up to the one length of a network's boxes (spec/pigeonhole §5).
       */
      readonly plaintext: Bytes;
    }
  | {
      /** Nothing any more: the stream's writer signed that it is empty. */
      readonly kind: "tombstone";
    };

function checkIndex(index: MessageBoxIndex): void {
  checkBytes("messageBoxIndex", index, MessageBoxIndex.length!);
}

/** The scalar f that blinds the root key for the box at `index`. */
function boxBlinding(index: MessageBoxIndex, context: Uint8Array): bigint {
  return blindingScalar(hkdfBlake2b512(blindingFactorOf(index), context, emptyBytes, 32));
}

function boxCipher(index: MessageBoxIndex, boxId: Uint8Array, context: Uint8Array) {
  const key = hkdfBlake2b512(encryptionKeyOf(index), context, emptyBytes, 32);
  return gcmsiv(key, boxId.subarray(0, gcmSivNonceLength), boxId);
}

/** Private scalar and ID of the box at `index`: all that needs the curve, done once a call. */
function boxKey(
  writeCap: WriteCap,
  index: MessageBoxIndex,
  context: Uint8Array,
): { readonly scalar: bigint; readonly boxId: Bytes } {
  checkIndex(index);
  return blindRootPrivateKey(rootPrivateKeyOf(writeCap), boxBlinding(index, context));
}

/**
 * ID (32 bytes) of the box at `index`. With a WriteCap it takes a third of the time.
 * @throws TypeError, RangeError on wrong lengths, a root key that is not a point of the curve, or a
 * WriteCap whose halves do not belong together.
 */
export function boxIdFor(
  cap: ReadCap | WriteCap,
  index: MessageBoxIndex,
  context: Uint8Array = PIGEONHOLE_CONTEXT,
): Bytes {
  checkCap(cap);
  checkIndex(index);
  if (isWriteCap(cap)) return boxKey(cap, index, context).boxId;
  return blindRootPublicKey(rootPublicKeyOf(cap), boxBlinding(index, context));
}

/**
 * Encrypts `plaintext` for the box at `index` and signs it. Deterministic. An empty plaintext makes
 * an ordinary box of 16 bytes, not a tombstone.
 * @throws as {@link boxIdFor}; TypeError when `plaintext` is not a byte array.
 */
export function encryptBox(
  writeCap: WriteCap,
  index: MessageBoxIndex,
  plaintext: PlainBytes,
  context: Uint8Array = PIGEONHOLE_CONTEXT,
): Box {
  checkBytes("plaintext", plaintext);
  const { scalar, boxId } = boxKey(writeCap, index, context);
  const ciphertext = boxCipher(index, boxId, context).encrypt(plaintext) as Bytes;
  return { boxId, ciphertext, signature: signWithScalar(scalar, boxId, ciphertext) };
}

/**
 * Signs `payload` as what the box at `index` holds, as it is: no encryption.
 * @throws as {@link boxIdFor}; TypeError when `payload` is not a byte array.
 */
export function signBox(
  writeCap: WriteCap,
  index: MessageBoxIndex,
  payload: Uint8Array,
  context: Uint8Array = PIGEONHOLE_CONTEXT,
): {
  /** Name of the box, 32 bytes. */
  readonly boxId: Bytes;
  /** Over `payload` under `boxId`, 64 bytes. */
  readonly signature: Bytes;
} {
  checkBytes("payload", payload);
  const { scalar, boxId } = boxKey(writeCap, index, context);
  return { boxId, signature: signWithScalar(scalar, boxId, payload) };
}

/**
 * The tombstone of the box at `index`: an empty payload and the signature over it.
 * @throws as {@link boxIdFor}.
 */
export function signTombstone(
  writeCap: WriteCap,
  index: MessageBoxIndex,
  context: Uint8Array = PIGEONHOLE_CONTEXT,
): Box {
  return { ...signBox(writeCap, index, emptyBytes, context), ciphertext: new Uint8Array(0) };
}

/**
 * Whether a box is signed under its own ID, which is all that a replica can check. Says nothing
 * about the box being the one that was asked for: a valid tombstone of any other box passes too.
 * Never throws on wrong lengths.
 */
export function verifyBox(box: {
  /** 32 bytes, or nothing verifies. */
  readonly boxId: Uint8Array;
  /** What was signed; empty is a tombstone. */
  readonly ciphertext: Uint8Array;
  /** 64 bytes, or nothing verifies. */
  readonly signature: Uint8Array;
}): boolean {
  return ed25519Verify(box.signature, box.ciphertext, box.boxId);
}

/**
 * Decrypts what the box at `index` holds, without looking at its signature: for callers that have
 * verified it. Everybody else wants {@link openBox}.
 * @throws BACAPDecryptionFailedError when it was not encrypted for this index, ID and context;
 * TypeError, RangeError on a wrong length of index or ID.
 */
export function decryptBox(
  index: MessageBoxIndex,
  boxId: Uint8Array,
  ciphertext: Uint8Array,
  context: Uint8Array = PIGEONHOLE_CONTEXT,
): Bytes {
  checkIndex(index);
  checkBytes("boxId", boxId, BOX_ID_LENGTH);
  try {
    return boxCipher(index, boxId, context).decrypt(ciphertext) as Bytes;
  } catch (cause) {
    throw new BACAPDecryptionFailedError("gcmsiv: decryption failure", { cause });
  }
}

/**
 * Opens the box at `index`: compares its ID with the one expected (without that, a tombstone of any
 * box would pass for this one's), verifies the signature, decrypts.
 * @throws BACAPDecryptionFailedError with the text `empty box, no message received`, `reply does
 * not match expected box ID`, `signature verification failed` or `gcmsiv: decryption failure`;
 * TypeError and RangeError as {@link boxIdFor}.
 */
export function openBox(
  readCap: ReadCap,
  index: MessageBoxIndex,
  box: {
    /** 32 bytes; only zeros: a box that never was. */
    readonly boxId: Uint8Array;
    /** Empty is a tombstone; else 16 bytes more than the plaintext. */
    readonly ciphertext: Uint8Array;
    /** 64 bytes, over `ciphertext`. */
    readonly signature: Uint8Array;
  },
  context: Uint8Array = PIGEONHOLE_CONTEXT,
): OpenedBox {
  if (box.boxId.every((byte) => byte === 0)) {
    throw new BACAPDecryptionFailedError("empty box, no message received");
  }
  const expected = boxIdFor(readCap, index, context);
  if (!equalBytes(expected, box.boxId)) {
    throw new BACAPDecryptionFailedError("reply does not match expected box ID");
  }
  if (!verifyBox(box)) throw new BACAPDecryptionFailedError("signature verification failed");
  if (box.ciphertext.length === 0) return { kind: "tombstone" };
  return { kind: "message", plaintext: decryptBox(index, expected, box.ciphertext, context) };
}
