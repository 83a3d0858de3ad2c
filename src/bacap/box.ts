/**
 * Boxes: their IDs, encryption, signatures and opening (spec/pigeonhole §1.4 to §1.7).
 *
 * The context is a byte string that separates different uses of one capability. Pigeonhole has only
 * one, used by everybody: {@link PIGEONHOLE_CONTEXT}.
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

/** The context of all Pigeonhole boxes (18 bytes). It is shared: do not change it. */
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
  /** ID of the box, 32 bytes. */
  readonly boxId: Bytes;
  /** The content: ciphertext ‖ tag (16 bytes more than the plaintext), or empty for a tombstone. */
  readonly ciphertext: Bytes;
  /** Signature over `ciphertext` under `boxId`, 64 bytes. */
  readonly signature: Bytes;
}

/** The opened content of a box. */
export type OpenedBox =
  | {
      /** A message, encrypted and signed by the stream's writer. */
      readonly kind: "message";
      /**
       * The plaintext passed to {@link encryptBox}. Daemons pass a length (4 bytes, big-endian),
       * the message, and zeros up to the common length of a network's boxes (spec/pigeonhole §5).
       */
      readonly plaintext: Bytes;
    }
  | {
      /** The stream's writer signed that the box is empty. */
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

/** Private scalar and ID of the box at `index`: the curve operations, done once per call. */
function boxKey(
  writeCap: WriteCap,
  index: MessageBoxIndex,
  context: Uint8Array,
): { readonly scalar: bigint; readonly boxId: Bytes } {
  checkIndex(index);
  return blindRootPrivateKey(rootPrivateKeyOf(writeCap), boxBlinding(index, context));
}

/**
 * ID (32 bytes) of the box at `index`. With a WriteCap it takes a quarter of the time for a
 * stream's first boxes, and two thirds from then on.
 * @throws TypeError, RangeError for wrong lengths, a root key that is not a point of the curve, or
 * a WriteCap whose halves do not belong together.
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
 * Signs `payload` unencrypted as the content of the box at `index`.
 * @throws as {@link boxIdFor}; TypeError when `payload` is not a byte array.
 */
export function signBox(
  writeCap: WriteCap,
  index: MessageBoxIndex,
  payload: Uint8Array,
  context: Uint8Array = PIGEONHOLE_CONTEXT,
): {
  /** ID of the box, 32 bytes. */
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
 * Whether a box is signed under its own ID, which is all that a replica can check. It does not show
 * that this is the requested box: a valid tombstone of any other box passes too. Never throws for
 * wrong lengths.
 */
export function verifyBox(box: {
  /** 32 bytes; any other length gives false. */
  readonly boxId: Uint8Array;
  /** The signed content; empty for a tombstone. */
  readonly ciphertext: Uint8Array;
  /** 64 bytes; any other length gives false. */
  readonly signature: Uint8Array;
}): boolean {
  return ed25519Verify(box.signature, box.ciphertext, box.boxId);
}

/**
 * Decrypts the content of the box at `index` without checking its signature, for callers that have
 * verified it. All others should use {@link openBox}.
 * @throws BACAPDecryptionFailedError when it was not encrypted for this index, ID and context;
 * TypeError, RangeError for a wrong length of index or ID.
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
 * Opens the box at `index`: compares its ID with the expected one (otherwise a tombstone of any box
 * would pass for this one's), verifies the signature, and decrypts.
 * @throws BACAPDecryptionFailedError with the text `empty box, no message received`, `reply does
 * not match expected box ID`, `signature verification failed` or `gcmsiv: decryption failure`;
 * TypeError and RangeError as {@link boxIdFor}.
 */
export function openBox(
  readCap: ReadCap,
  index: MessageBoxIndex,
  box: {
    /** 32 bytes; all zeros for a box that never existed. */
    readonly boxId: Uint8Array;
    /** Empty for a tombstone; otherwise 16 bytes more than the plaintext. */
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
