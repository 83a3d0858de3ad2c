/**
 * The identity that each side sends: the payload of the handshake's messages two and three
 * (spec/mixnet §2.1).
 */
import { type Bytes, checkBytes, copyBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";

/** Length of the payload in bytes. */
export const AUTH_PAYLOAD_LENGTH = 1 + 255 + 4;
const timeAt = 1 + 255;

/** A side's data about itself. */
export interface AuthPayload {
  /**
   * At most 255 bytes. From a client: its queue ID of 32 bytes, under which its replies are stored,
   * or empty at an authority. From a server: the hash of its identity key, 32 bytes.
   */
  readonly additionalData: Uint8Array;
  /** Seconds since 1970: the server's clock; 0 from a client. */
  readonly unixTime: number;
}

/**
 * Encodes the payload: 260 bytes. @throws TypeError or RangeError for additional data that does not
 * fit.
 */
export function encodeAuthPayload({ additionalData, unixTime }: AuthPayload): Bytes {
  checkBytes("additionalData", additionalData);
  if (additionalData.length > 255) {
    throw new RangeError(
      `\`additionalData\` must be at most 255 bytes, got ${additionalData.length}`,
    );
  }
  const payload = new Uint8Array(AUTH_PAYLOAD_LENGTH);
  payload[0] = additionalData.length;
  payload.set(additionalData, 1);
  new DataView(payload.buffer).setUint32(timeAt, unixTime);
  return payload;
}

/** Reads a payload. @throws ProtocolError when it is not 260 bytes. */
export function decodeAuthPayload(
  payload: Uint8Array,
): AuthPayload & { readonly additionalData: Bytes } {
  if (payload.length !== AUTH_PAYLOAD_LENGTH) {
    throw new ProtocolError(`handshake: payload of ${payload.length} bytes`);
  }
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return {
    additionalData: copyBytes(payload.subarray(1, 1 + payload[0]!)),
    unixTime: view.getUint32(timeAt),
  };
}
