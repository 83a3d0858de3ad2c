/** Converts boxes to messages for replicas, and back (spec/pigeonhole §7). */
import type { Bytes, PlainBytes } from "../../bytes/bytes.js";
import type { MessageBoxIndex, ReadCap, WriteCap } from "../../bytes/opaque.js";
import { REPLICA_ERROR_TOMBSTONE, REPLICA_SUCCESS } from "../../errors/codes.js";
import { InvalidTombstoneSignatureError, TombstoneError } from "../../errors/errors.js";
import { replicaErrorFromCode } from "../../errors/from-reply.js";
import { type OpenedBox, boxIdFor, encryptBox, openBox, signTombstone } from "../../bacap/box.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import { padBoxPayload, unpadMessage } from "./padding.js";
import type {
  ReplicaReadMessage,
  ReplicaReadReply,
  ReplicaWriteMessage,
} from "./replica-messages.js";

/**
 * The message that writes `plaintext` into the box at `index`: padded to the common size of all
 * boxes, encrypted, and signed. An empty plaintext makes a tombstone.
 * @throws TypeError; RangeError when the plaintext is longer than the geometry allows, or the
 * capability is malformed.
 */
export function makeWriteMessage(
  sizes: PigeonholeSizes,
  writeCap: WriteCap,
  index: MessageBoxIndex,
  plaintext: PlainBytes,
): ReplicaWriteMessage {
  if (plaintext.length > sizes.maxPlaintextPayloadLength) {
    throw new RangeError(
      `\`plaintext\` must be at most ${sizes.maxPlaintextPayloadLength} bytes, ` +
        `got ${plaintext.length}`,
    );
  }
  const box =
    plaintext.length === 0
      ? signTombstone(writeCap, index)
      : encryptBox(writeCap, index, padBoxPayload(sizes, plaintext));
  return { kind: "write", boxId: box.boxId, signature: box.signature, payload: box.ciphertext };
}

/** The message that reads the box at `index`. @throws TypeError, RangeError for a malformed cap. */
export function makeReadMessage(
  cap: ReadCap | WriteCap,
  index: MessageBoxIndex,
): ReplicaReadMessage {
  return { kind: "read", boxId: boxIdFor(cap, index) };
}

function openReply(readCap: ReadCap, index: MessageBoxIndex, reply: ReplicaReadReply): OpenedBox {
  try {
    return openBox(readCap, index, {
      boxId: reply.boxId,
      ciphertext: reply.payload,
      signature: reply.signature,
    });
  } catch (cause) {
    if (reply.errorCode !== REPLICA_ERROR_TOMBSTONE) throw cause;
    throw new InvalidTombstoneSignatureError(undefined, { cause });
  }
}

/**
 * The application message in a replica's answer to a read.
 * @throws TombstoneError for a box that its writer deleted (also for a box with no bytes);
 * InvalidTombstoneSignatureError, BACAPDecryptionFailedError when the replica did not prove its
 * answer; other errors of the replica; ProtocolError when the padding is wrong.
 */
export function openReadReply(
  readCap: ReadCap,
  index: MessageBoxIndex,
  reply: ReplicaReadReply,
): Bytes {
  if (reply.errorCode !== REPLICA_SUCCESS && reply.errorCode !== REPLICA_ERROR_TOMBSTONE) {
    throw replicaErrorFromCode(reply.errorCode)!;
  }
  const box = openReply(readCap, index, reply);
  if (box.kind === "tombstone" || box.plaintext.length === 0) throw new TombstoneError();
  return unpadMessage(box.plaintext);
}
