/**
 * Cuts envelopes into the elements of a copy stream (spec/pigeonhole §8).
 *
 * The stream is `length (4) ‖ envelope` over all envelopes, cut into pieces without regard to where
 * an envelope ends. A stream may be made in several calls; the only state between calls is the
 * bytes that were not emitted yet.
 */
import { type Bytes, checkBytes, concatBytes, copyBytes } from "../../bytes/bytes.js";
import {
  type CopySizes,
  ELEMENT_HEADER_LENGTH,
  ENVELOPE_PREFIX_LENGTH,
  elementDataLength,
  holdsCopyStream,
} from "../../pki/copy-stream-plan.js";
import { COPY_STREAM_FINAL, COPY_STREAM_START, encodeCopyStreamElement } from "./element.js";

/** How a call continues an earlier one. */
export interface CopyStreamEncoderOptions {
  /** The {@link CopyStreamEncoder.buffer} of the previous call. */
  readonly buffer?: Uint8Array | undefined;
  /** Whether this is the first call for the stream; true by default. */
  readonly isStart?: boolean | undefined;
}

/** Cuts envelopes into elements, each of which fits into one box. */
export class CopyStreamEncoder {
  readonly #dataLength: number;
  #pending: Bytes;
  #startPending: boolean;

  /** @throws TypeError; RangeError when a box is too small for even one byte of the stream. */
  constructor(
    sizes: Pick<CopySizes, "maxPlaintextPayloadLength">,
    options: CopyStreamEncoderOptions = {},
  ) {
    this.#dataLength = elementDataLength(sizes);
    if (!holdsCopyStream(sizes)) {
      throw new RangeError(
        `\`maxPlaintextPayloadLength\` must be more than ${ELEMENT_HEADER_LENGTH}, ` +
          `got ${sizes.maxPlaintextPayloadLength}`,
      );
    }
    const { buffer = new Uint8Array(0), isStart = true } = options;
    checkBytes("buffer", buffer);
    this.#pending = copyBytes(buffer);
    this.#startPending = isStart;
  }

  /** The bytes not yet emitted, as a copy; the next call for the same stream needs them. */
  get buffer(): Bytes {
    return copyBytes(this.#pending);
  }

  #emit(length: number, final: boolean): Bytes {
    const flags = (this.#startPending ? COPY_STREAM_START : 0) | (final ? COPY_STREAM_FINAL : 0);
    this.#startPending = false;
    const element = encodeCopyStreamElement({ flags, data: this.#pending.subarray(0, length) });
    this.#pending = this.#pending.slice(length);
    return element;
  }

  /**
   * Returns full elements while more than one element's worth of bytes is pending, because the last
   * one may be the final element.
   */
  #emitFull(): Bytes[] {
    const elements: Bytes[] = [];
    while (this.#pending.length > this.#dataLength) {
      elements.push(this.#emit(this.#dataLength, false));
    }
    return elements;
  }

  /** Adds a serialized CourierEnvelope; returns the elements that became full. */
  add(envelope: Uint8Array): Bytes[] {
    checkBytes("envelope", envelope);
    const prefix = new Uint8Array(ENVELOPE_PREFIX_LENGTH);
    new DataView(prefix.buffer).setUint32(0, envelope.length);
    this.#pending = concatBytes(this.#pending, prefix, envelope);
    return this.#emitFull();
  }

  /**
   * Ends the stream: returns all pending bytes as elements, with the last marked final. Empty if
   * nothing is pending.
   */
  flush(): Bytes[] {
    const elements = this.#emitFull();
    if (this.#pending.length > 0) elements.push(this.#emit(this.#pending.length, true));
    return elements;
  }

  /**
   * Returns all pending bytes as elements and lets the stream continue: the last element may be
   * short.
   */
  flushWithoutFinal(): Bytes[] {
    const elements = this.#emitFull();
    if (this.#pending.length > 0) elements.push(this.#emit(this.#pending.length, false));
    return elements;
  }
}
