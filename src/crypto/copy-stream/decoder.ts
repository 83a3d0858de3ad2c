/**
 * Decodes the boxes of a copy stream to envelopes (spec/pigeonhole §8).
 *
 * A stranger wrote the stream. Each length is checked before memory is taken for it, and boxes and
 * envelopes are counted. So one element and one envelope bound the memory, and the limits bound the
 * time.
 */
import { type Bytes, checkBytes, concatBytes } from "../../bytes/bytes.js";
import { ProtocolError } from "../../errors/errors.js";
import { courierEnvelopeLength, decodeCourierEnvelope } from "../envelope/courier-messages.js";
import { isFinalElement } from "./element.js";
import {
  type CopySizes,
  ELEMENT_HEADER_LENGTH,
  ENVELOPE_PREFIX_LENGTH,
  MAX_COPY_BOXES,
} from "../../pki/copy-stream-plan.js";

const noBytes = new Uint8Array(0);

/** An envelope from a stream. */
export type DecodedEnvelope = ReturnType<typeof decodeCourierEnvelope>;

function u32At(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at);
}

/**
 * Takes boxes and returns envelopes. After each {@link addBox}, call {@link next} until it returns
 * null. Do not use the decoder after an error: nothing that follows in the stream can be trusted.
 */
export class CopyStreamDecoder {
  readonly #maxElement: number;
  readonly #maxEnvelope: number;
  #elements: Bytes = noBytes;
  #stream: Bytes = noBytes;
  #sawFinal = false;
  #boxes = 0;
  #envelopes = 0;

  constructor(sizes: CopySizes) {
    this.#maxElement = sizes.maxPlaintextPayloadLength;
    this.#maxEnvelope = sizes.courierQueryWriteLength;
  }

  /** Whether an element was marked as the last one. */
  get sawFinal(): boolean {
    return this.#sawFinal;
  }

  /** How many bytes of an incomplete element and of an incomplete envelope are held. */
  get remaining(): number {
    return this.#elements.length + this.#stream.length;
  }

  /** How many boxes were added. */
  get boxes(): number {
    return this.#boxes;
  }

  /** How many envelopes were returned. */
  get envelopes(): number {
    return this.#envelopes;
  }

  /**
   * Adds the content of one box (decrypted, unpadded). An element may span boxes, and a box may
   * hold several. The start flag and unknown flags are ignored.
   * @throws ProtocolError when an element is too long (`failed to decode element: …`), the box is
   * longer than a box can be, or there are more than 65,536.
   */
  addBox(plaintext: Uint8Array): void {
    checkBytes("plaintext", plaintext);
    if (plaintext.length > this.#maxElement) {
      throw new ProtocolError(`box of ${plaintext.length} bytes exceeds ${this.#maxElement}`);
    }
    if (this.#boxes >= MAX_COPY_BOXES) {
      throw new ProtocolError(`copy stream exceeds ${MAX_COPY_BOXES} boxes`);
    }
    this.#boxes++;
    this.#elements = concatBytes(this.#elements, plaintext);
    while (this.#takeElement());
  }

  #takeElement(): boolean {
    if (this.#elements.length < ELEMENT_HEADER_LENGTH) return false;
    const size = ELEMENT_HEADER_LENGTH + u32At(this.#elements, 1);
    if (size > this.#maxElement) {
      throw new ProtocolError(
        `failed to decode element: element size ${size} exceeds maximum (${this.#maxElement})`,
      );
    }
    if (this.#elements.length < size) return false;
    if (isFinalElement(this.#elements[0]!)) this.#sawFinal = true;
    this.#stream = concatBytes(this.#stream, this.#elements.subarray(ELEMENT_HEADER_LENGTH, size));
    this.#elements = this.#elements.slice(size);
    return true;
  }

  /**
   * The next envelope; null if it needs more boxes.
   * @throws ProtocolError when its length exceeds that of a query, it cannot be parsed, bytes are
   * left inside it, or there are more than 65,536.
   */
  next(): DecodedEnvelope | null {
    if (this.#stream.length < ENVELOPE_PREFIX_LENGTH) return null;
    const length = u32At(this.#stream, 0);
    if (length > this.#maxEnvelope) {
      throw new ProtocolError(`envelope length ${length} exceeds maximum (${this.#maxEnvelope})`);
    }
    const end = ENVELOPE_PREFIX_LENGTH + length;
    if (this.#stream.length < end) return null;
    if (this.#envelopes >= MAX_COPY_BOXES) {
      throw new ProtocolError(`copy stream exceeds ${MAX_COPY_BOXES} envelopes`);
    }
    const envelope = this.#parse(this.#stream.subarray(ENVELOPE_PREFIX_LENGTH, end));
    this.#stream = this.#stream.slice(end);
    this.#envelopes++;
    return envelope;
  }

  #parse(bytes: Uint8Array): DecodedEnvelope {
    let envelope: DecodedEnvelope;
    try {
      envelope = decodeCourierEnvelope(bytes);
    } catch (cause) {
      const why = cause instanceof ProtocolError ? cause.message : "malformed";
      throw new ProtocolError(`failed to parse envelope: ${why}`, { cause });
    }
    const trailing = bytes.length - courierEnvelopeLength(envelope);
    if (trailing > 0) throw new ProtocolError(`envelope has ${trailing} trailing bytes`);
    return envelope;
  }
}
