/**
 * The arithmetic and limits of copy streams (spec/pigeonhole §7 to §9.1). All of it is here;
 * clients, daemons and couriers use it.
 *
 * The stream is `length (4) ‖ envelope` over all envelopes, one envelope for each box at a
 * destination. It is cut into elements, one for each box of the temporary stream.
 */
import { type Bytes, checkBytes, describeType } from "../bytes/bytes.js";
import { checkCount } from "./geometry.js";
import type { PigeonholeGeometry } from "./pigeonhole-geometry.js";

/**
 * The most boxes that a copy may take, at all destinations together and in the temporary stream.
 * Couriers give up beyond this number (spec/pigeonhole §9.1).
 */
export const MAX_COPY_BOXES = 65_536;
/** Longest payload of one destination in one builder call, in bytes: 10 MiB. */
export const MAX_COPY_PAYLOAD_LENGTH = 10 * 1024 * 1024;
/**
 * Longest payload of all destinations of one builder call together, in bytes: 30 MiB. The reply is
 * a third longer and must fit into a frame of 40 MiB (spec/thin-protocol §10, defect 21).
 */
export const MAX_COPY_CALL_LENGTH = 30 * 1024 * 1024;

/** Length of the prefix of each envelope in the stream, in bytes. */
export const ENVELOPE_PREFIX_LENGTH = 4;
/** Length of an element's header in bytes: flags (1), data length (4). */
export const ELEMENT_HEADER_LENGTH = 5;
/** Overhead of a box at a destination in bytes, compared with a directly written box. */
const CHUNK_OVERHEAD = 4;
/** Length of the query type before an envelope in a query, in bytes. */
const QUERY_TYPE_LENGTH = 1;

/** The lengths of a network that a copy depends on; a `PigeonholeGeometry` has them. */
export type CopySizes = Pick<
  PigeonholeGeometry,
  "maxPlaintextPayloadLength" | "courierQueryWriteLength"
>;

/** The size of a copy stream. Lengths in bytes. */
export interface CopyStreamPlan {
  /** Envelopes in the stream: boxes at all destinations together. */
  readonly envelopes: number;
  /** Length of each serialized envelope; 0 if the stream is empty. */
  readonly envelopeLength: number;
  /** Elements: boxes of the temporary stream. */
  readonly elements: number;
  /** Length of the last element with its header; 0 if there are no elements. */
  readonly lastElementLength: number;
}

/** Whether boxes are large enough for a copy stream: an element holds at least one byte of it. */
export function holdsCopyStream(sizes: Pick<CopySizes, "maxPlaintextPayloadLength">): boolean {
  return elementDataLength(sizes) >= 1;
}

/** Bytes of the stream in one element. */
export function elementDataLength(sizes: Pick<CopySizes, "maxPlaintextPayloadLength">): number {
  return sizes.maxPlaintextPayloadLength - ELEMENT_HEADER_LENGTH;
}

/**
 * How many bytes of a copied payload go into one box at the destination: 4 bytes less than a box
 * can hold.
 */
export function copyChunkLength(sizes: Pick<CopySizes, "maxPlaintextPayloadLength">): number {
  return sizes.maxPlaintextPayloadLength - CHUNK_OVERHEAD;
}

/**
 * The size of a stream of `envelopes` envelopes (for example, of tombstones) after `buffered` bytes
 * that an earlier call left over.
 */
export function planCopyStream(sizes: CopySizes, envelopes: number, buffered = 0): CopyStreamPlan {
  const envelopeLength = sizes.courierQueryWriteLength - QUERY_TYPE_LENGTH;
  const streamLength = buffered + envelopes * (ENVELOPE_PREFIX_LENGTH + envelopeLength);
  if (streamLength === 0) {
    return { envelopes: 0, envelopeLength: 0, elements: 0, lastElementLength: 0 };
  }
  const dataLength = elementDataLength(sizes);
  const elements = Math.ceil(streamLength / dataLength);
  return {
    envelopes,
    envelopeLength,
    elements,
    lastElementLength: ELEMENT_HEADER_LENGTH + streamLength - (elements - 1) * dataLength,
  };
}

/**
 * The size of a copy of `payloadLength` bytes. It depends only on the network's geometry, so you
 * can ask before anything is written.
 * @param sizes the network's geometry: `client.pigeonholeGeometry`.
 * @param destinations how many streams it is copied to; 1 by default.
 * @throws TypeError, RangeError for a missing geometry (before the client's start it has none), a
 * length that is not an integer from 0 up, and destinations that are not an integer from 1 up.
 */
export function planCopyPayload(
  sizes: CopySizes,
  payloadLength: number,
  destinations = 1,
): CopyStreamPlan {
  if (typeof sizes !== "object" || sizes === null) {
    throw new TypeError(`\`sizes\` must be a network's geometry, got ${describeType(sizes)}`);
  }
  checkCount("payloadLength", payloadLength);
  checkCount("destinations", destinations);
  if (destinations === 0) throw new RangeError("`destinations` must be at least 1, got 0");
  return planCopyStream(sizes, Math.ceil(payloadLength / copyChunkLength(sizes)) * destinations);
}

/**
 * Cuts a payload into pieces, one for each destination box: all of {@link copyChunkLength} bytes
 * but the last. An empty payload gives none. The pieces are copies.
 */
export function chunkCopyPayload(
  sizes: Pick<CopySizes, "maxPlaintextPayloadLength">,
  payload: Uint8Array,
): Bytes[] {
  checkBytes("payload", payload);
  const length = copyChunkLength(sizes);
  if (length < 1) {
    throw new RangeError(
      `\`maxPlaintextPayloadLength\` must be more than ${CHUNK_OVERHEAD}, ` +
        `got ${sizes.maxPlaintextPayloadLength}`,
    );
  }
  const chunks: Bytes[] = [];
  for (let at = 0; at < payload.length; at += length) {
    chunks.push(new Uint8Array(payload.subarray(at, at + length)));
  }
  return chunks;
}
