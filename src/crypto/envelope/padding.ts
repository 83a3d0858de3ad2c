/**
 * Padding to fixed sizes, so that reads, writes and tombstones look alike: length (4, big-endian) ‖
 * message ‖ zeros (spec/pigeonhole §5).
 */
import { type Bytes, checkBytes } from "../../bytes/bytes.js";
import { ProtocolError } from "../../errors/errors.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";

const prefixLength = 4;

/**
 * Pads `message` to `length` bytes, with its 4-byte length first.
 * @throws RangeError when it does not fit.
 */
export function padMessage(message: Uint8Array, length: number): Bytes {
  checkBytes("message", message);
  if (message.length + prefixLength > length) {
    throw new RangeError(
      `message size ${message.length} exceeds target size ${length} ` +
        "(accounting for 4-byte length prefix)",
    );
  }
  const padded = new Uint8Array(length);
  new DataView(padded.buffer).setUint32(0, message.length);
  padded.set(message, prefixLength);
  return padded;
}

/**
 * Returns the message that {@link padMessage} padded, as a copy. The bytes after it need not be
 * zeros.
 * @throws ProtocolError when the prefix is missing, or exceeds the available bytes.
 */
export function unpadMessage(padded: Uint8Array): Bytes {
  checkBytes("padded", padded);
  if (padded.length < prefixLength) {
    throw new ProtocolError(
      `padded payload too short: ${padded.length} bytes, need at least ${prefixLength}`,
    );
  }
  const length = new DataView(padded.buffer, padded.byteOffset, padded.length).getUint32(0);
  const available = padded.length - prefixLength;
  if (length > available) {
    throw new ProtocolError(
      `invalid message length ${length}, padded payload only has ${available} bytes after prefix`,
    );
  }
  const message = new Uint8Array(length);
  message.set(padded.subarray(prefixLength, prefixLength + length));
  return message;
}

/** Pads an application message for a box. @throws RangeError when it is too long. */
export function padBoxPayload(sizes: PigeonholeSizes, message: Uint8Array): Bytes {
  return padMessage(message, sizes.paddedPayloadLength);
}

/** Pads a serialized ReplicaInnerMessage for MKEM. @throws RangeError when it is too long. */
export function padInnerMessage(sizes: PigeonholeSizes, message: Uint8Array): Bytes {
  return padMessage(message, sizes.replicaInnerMessagePaddedLength);
}

/** Pads a serialized reply for sealing. @throws RangeError when it is too long. */
export function padReplyMessage(sizes: PigeonholeSizes, message: Uint8Array): Bytes {
  return padMessage(message, sizes.replicaReplyInnerMessagePaddedLength);
}
