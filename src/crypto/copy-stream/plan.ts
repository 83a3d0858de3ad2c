/**
 * How many envelopes and boxes a payload takes on its way through a copy stream. spec/pigeonhole §7
 * and §8.
 */
import { type Bytes, checkBytes } from "../../bytes/bytes.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import { ELEMENT_HEADER_LENGTH, ENVELOPE_PREFIX_LENGTH } from "./limits.js";

/** What a copy stream will take. Lengths in bytes. */
export interface CopyStreamPlan {
  /** Envelopes in the stream: boxes at the destination. */
  readonly envelopes: number;
  /** Length of each envelope, serialized; 0 when there are none. */
  readonly envelopeLength: number;
  /** Elements: boxes of the temporary stream. */
  readonly elements: number;
  /** Length of the last element with its header; 0 when there are none. */
  readonly lastElementLength: number;
}

/**
 * How much of a payload goes into one box at the destination when it is copied: 4 bytes less than a
 * box can hold.
 */
export function copyChunkLength(sizes: PigeonholeSizes): number {
  return sizes.maxPlaintextPayloadLength - 4;
}

/** What a stream of `envelopes` envelopes (of tombstones, say) will take. */
export function planCopyStream(sizes: PigeonholeSizes, envelopes: number): CopyStreamPlan {
  if (envelopes === 0) {
    return { envelopes: 0, envelopeLength: 0, elements: 0, lastElementLength: 0 };
  }
  const dataLength = sizes.maxPlaintextPayloadLength - ELEMENT_HEADER_LENGTH;
  const streamLength = envelopes * (ENVELOPE_PREFIX_LENGTH + sizes.courierEnvelopeLength);
  const elements = Math.ceil(streamLength / dataLength);
  return {
    envelopes,
    envelopeLength: sizes.courierEnvelopeLength,
    elements,
    lastElementLength: ELEMENT_HEADER_LENGTH + streamLength - (elements - 1) * dataLength,
  };
}

/** What copying a payload of `payloadLength` bytes to one destination will take. */
export function planCopyPayload(sizes: PigeonholeSizes, payloadLength: number): CopyStreamPlan {
  return planCopyStream(sizes, Math.ceil(payloadLength / copyChunkLength(sizes)));
}

/**
 * The pieces that a payload is copied in, one a destination box: all of {@link copyChunkLength}
 * bytes but the last. None for an empty payload. Copies.
 */
export function chunkCopyPayload(sizes: PigeonholeSizes, payload: Uint8Array): Bytes[] {
  checkBytes("payload", payload);
  const length = copyChunkLength(sizes);
  if (length < 1) {
    throw new RangeError(
      `\`maxPlaintextPayloadLength\` must be more than 4, got ${sizes.maxPlaintextPayloadLength}`,
    );
  }
  const chunks: Bytes[] = [];
  for (let at = 0; at < payload.length; at += length) {
    chunks.push(new Uint8Array(payload.subarray(at, at + length)));
  }
  return chunks;
}
