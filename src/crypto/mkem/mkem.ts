/**
 * MKEM: one payload for several recipients who learn nothing about each other (spec/pigeonhole §2).
 *
 * A random message key seals the payload. For each recipient a DEK holds that message key, sealed
 * with the secret shared between the ephemeral key and the recipient's key. The same secret later
 * seals the recipient's reply. Every sealed blob is nonce (12) ‖ ciphertext ‖ tag (16),
 * ChaCha20-Poly1305 (RFC 8439) without associated data.
 */
import { chacha20Poly1305Open, chacha20Poly1305Seal } from "#platform";
import { type Bytes, type RandomSource, checkBytes, randomBytes } from "../../bytes/bytes.js";
import { MKEMDecryptionFailedError } from "../../errors/errors.js";
import { hash256 } from "../../bytes/hash.js";
import type { NikeScheme } from "../nike/scheme.js";

const nonceLength = 12;
const messageKeyLength = 32;
const authenticationText = "chacha20poly1305: message authentication failed";

/** How many bytes sealing adds: nonce and tag. */
export const MKEM_OVERHEAD = 28;
/** Length of a DEK in bytes: a sealed message key. */
export const MKEM_DEK_LENGTH = 60;

/** The recipients' part. */
export interface MkemCiphertext {
  /** Ephemeral NIKE public key of the sender. */
  readonly ephemeralPublicKey: Uint8Array;
  /** One DEK (60 bytes) per recipient; a recipient may get only its own. */
  readonly deks: readonly Uint8Array[];
  /** The sealed payload. */
  readonly envelope: Uint8Array;
}

/** The result of {@link mkemEncapsulate}: the ciphertext, and the sender's keys for the replies. */
export interface MkemEncapsulation extends MkemCiphertext {
  readonly ephemeralPublicKey: Bytes;
  readonly deks: readonly Bytes[];
  readonly envelope: Bytes;
  /** Opens replies, with {@link mkemReplyKey}. Secret. */
  readonly ephemeralPrivateKey: Bytes;
  /**
   * The reply keys (32 bytes each), in the order of the recipients, so that they need not be
   * computed again. Secret.
   */
  readonly replyKeys: readonly Bytes[];
}

function seal(key: Uint8Array, payload: Uint8Array, random: RandomSource): Bytes {
  const nonce = random(nonceLength);
  return chacha20Poly1305Seal(key, nonce, payload, undefined, nonce);
}

function open(key: Uint8Array, sealed: Uint8Array): Bytes | null {
  if (sealed.length < MKEM_OVERHEAD) return null;
  return chacha20Poly1305Open(key, sealed.subarray(0, nonceLength), sealed.subarray(nonceLength));
}

/**
 * The key (32 bytes) between a private and a public key that seals DEKs and replies: BLAKE2b-256 of
 * the NIKE's shared secret. The sender computes it from the ephemeral private key and the
 * recipient's public key, the recipient from the two others.
 * @throws TypeError, RangeError for malformed keys and for public keys of low order.
 */
export async function mkemReplyKey(
  scheme: NikeScheme,
  privateKey: Uint8Array,
  publicKey: Uint8Array,
): Promise<Bytes> {
  if (scheme.hashedSecret) return scheme.hashedSecret(privateKey, publicKey);
  return hash256(await scheme.sharedSecret(privateKey, publicKey));
}

/**
 * Seals `payload` to all of `publicKeys`.
 * @param random draws, in this order: ephemeral private key, message key (32), envelope nonce (12),
 * one nonce (12) per recipient.
 * @throws TypeError, RangeError for malformed or low-order public keys, or none at all.
 */
export async function mkemEncapsulate(
  scheme: NikeScheme,
  publicKeys: readonly Uint8Array[],
  payload: Uint8Array,
  random: RandomSource = randomBytes,
): Promise<MkemEncapsulation> {
  checkBytes("payload", payload);
  if (publicKeys.length === 0) throw new RangeError("`publicKeys` must hold at least one key");
  const ephemeral = await scheme.generate(random);
  const replyKeys = await Promise.all(
    publicKeys.map((publicKey) => mkemReplyKey(scheme, ephemeral.privateKey, publicKey)),
  );
  const messageKey = random(messageKeyLength);
  const envelope = seal(messageKey, payload, random);
  return {
    ephemeralPublicKey: ephemeral.publicKey,
    ephemeralPrivateKey: ephemeral.privateKey,
    deks: replyKeys.map((key) => seal(key, messageKey, random)),
    envelope,
    replyKeys,
  };
}

/**
 * Opens an MKEM ciphertext by trying each DEK; the first that opens is used.
 * @returns the payload and the key (32 bytes) that seals the reply.
 * @throws MKEMDecryptionFailedError when no DEK opens (`failed to trial decrypt`) or the envelope
 * is damaged; TypeError, RangeError for a malformed private key, and for an ephemeral public key
 * that is malformed or of low order.
 */
export async function mkemDecapsulate(
  scheme: NikeScheme,
  privateKey: Uint8Array,
  ciphertext: MkemCiphertext,
): Promise<{ readonly payload: Bytes; readonly replyKey: Bytes }> {
  const replyKey = await mkemReplyKey(scheme, privateKey, ciphertext.ephemeralPublicKey);
  for (const dek of ciphertext.deks) {
    if (dek.length !== MKEM_DEK_LENGTH) continue;
    const messageKey = open(replyKey, dek);
    if (messageKey === null) continue;
    const payload = open(messageKey, ciphertext.envelope);
    if (payload === null) throw new MKEMDecryptionFailedError(authenticationText);
    return { payload, replyKey };
  }
  throw new MKEMDecryptionFailedError("failed to trial decrypt");
}

/**
 * Seals a reply with the key from {@link mkemDecapsulate}. The result is 28 bytes longer than
 * `payload`.
 */
export function mkemSealReply(
  replyKey: Uint8Array,
  payload: Uint8Array,
  random: RandomSource = randomBytes,
): Bytes {
  checkBytes("replyKey", replyKey, 32);
  checkBytes("payload", payload);
  return seal(replyKey, payload, random);
}

/**
 * Opens a reply with the key from {@link mkemReplyKey}. The sender does not know which recipient
 * answered, and tries the key of each.
 * @throws MKEMDecryptionFailedError when it was sealed with another key, is damaged, or is too
 * short.
 */
export function mkemOpenReply(replyKey: Uint8Array, sealed: Uint8Array): Bytes {
  checkBytes("replyKey", replyKey, 32);
  const payload = open(replyKey, sealed);
  if (payload === null) throw new MKEMDecryptionFailedError(authenticationText);
  return payload;
}
