/** Frames: a 4-byte big-endian length, then that many bytes. spec/thin-protocol §1.3. */
import type { Bytes } from "../bytes/bytes.js";
import type { Encodable } from "../cbor/cbor.js";
import { type CborWriter, borrowWriter, returnWriter } from "../cbor/cbor-writer.js";
import { ProtocolError } from "../errors/errors.js";

/** The longest frame body: 40 MiB, in both directions. */
export const MAX_MESSAGE_SIZE = 40 * 1024 * 1024;

/** Bytes of the length prefix. */
export const LENGTH_PREFIX_SIZE = 4;

/**
 * Makes a frame around `body`, which must not be empty: peers refuse the length 0.
 * @param maxMessageSize the longest body in bytes.
 * @throws RangeError when `body` is longer than `maxMessageSize`: a peer would disconnect.
 */
export function encodeFrame(body: Uint8Array, maxMessageSize: number = MAX_MESSAGE_SIZE): Bytes {
  if (body.length > maxMessageSize) {
    throw tooLong(body.length, maxMessageSize);
  }
  const frame = new Uint8Array(LENGTH_PREFIX_SIZE + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, LENGTH_PREFIX_SIZE);
  return frame;
}

function tooLong(length: number, maxMessageSize: number): RangeError {
  return new RangeError(`message must be at most ${maxMessageSize} bytes, got ${length}`);
}

/** Frames that are sent together, in one piece of memory. */
export class FrameEncoder {
  readonly #maxMessageSize: number;
  /** Borrowed only while it has content: a silent connection holds no memory. */
  #writer: CborWriter | null = null;

  constructor(maxMessageSize: number = MAX_MESSAGE_SIZE) {
    this.#maxMessageSize = maxMessageSize;
  }

  /** Length in bytes of the frames that were added but not taken. */
  get length(): number {
    return this.#writer?.length ?? 0;
  }

  /**
   * Adds a frame around `body`, encoded as CBOR.
   * @throws RangeError when it is longer than a frame may be, TypeError when it cannot be encoded
   * as CBOR; then nothing is added.
   */
  add(body: Encodable): void {
    const writer = (this.#writer ??= borrowWriter());
    const start = writer.skip(LENGTH_PREFIX_SIZE);
    try {
      writer.write(body);
      const length = writer.length - start - LENGTH_PREFIX_SIZE;
      if (length > this.#maxMessageSize) throw tooLong(length, this.#maxMessageSize);
      writer.setUint32(start, length);
    } catch (error) {
      writer.truncate(start);
      throw error;
    }
  }

  /** Returns the frames added since the last call, concatenated. */
  take(): Bytes {
    const writer = this.#writer;
    if (!writer) return new Uint8Array(0);
    this.#writer = null;
    const frames = writer.take();
    returnWriter(writer);
    return frames;
  }
}

/**
 * Cuts a byte stream into frame bodies. It accepts bytes in any portions. A length is checked as
 * soon as its prefix is complete, and memory grows only with the bytes that have arrived.
 */
export class FrameDecoder {
  readonly #maxMessageSize: number;
  /**
   * The received part of the current prefix or body; it grows by doubling, never past the announced
   * length.
   */
  #buffer = new Uint8Array(0);
  #held = 0;
  /** Length of the current body; -1 while its prefix is incomplete. */
  #wanted = -1;
  #failed = false;

  /** @param maxMessageSize the longest body in bytes; 40 MiB by default. */
  constructor(maxMessageSize: number = MAX_MESSAGE_SIZE) {
    this.#maxMessageSize = maxMessageSize;
  }

  /** Whether the stream may end here: no part of a frame is held. */
  get atBoundary(): boolean {
    return this.#held === 0 && this.#wanted < 0;
  }

  /**
   * Takes the next bytes of the stream and calls `onBody` for each complete body. A body may share
   * memory with `chunk`.
   * @throws ProtocolError for a length that is zero or above the limit. Then the decoder is
   * unusable, because the next frame cannot be found. Also what `onBody` throws.
   */
  push(chunk: Uint8Array, onBody: (body: Uint8Array) => void): void {
    if (this.#failed) throw new ProtocolError("a frame before this one was malformed");
    for (let at = 0; at < chunk.length;) {
      if (this.#wanted < 0 && this.#held === 0 && at + LENGTH_PREFIX_SIZE <= chunk.length) {
        this.#wanted = this.#checkLength(chunk, at);
        at += LENGTH_PREFIX_SIZE;
        continue;
      }
      const length = this.#wanted < 0 ? LENGTH_PREFIX_SIZE : this.#wanted;
      const taken = Math.min(length - this.#held, chunk.length - at);
      const part = chunk.subarray(at, at + taken);
      at += taken;
      if (this.#held + taken < length) {
        this.#hold(part, length);
        return;
      }
      const whole = this.#complete(part, length);
      if (this.#wanted < 0) {
        this.#wanted = this.#checkLength(whole, 0);
      } else {
        this.#wanted = -1;
        onBody(whole);
      }
    }
  }

  #checkLength(bytes: Uint8Array, at: number): number {
    const low = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const length = bytes[at]! * 0x100_0000 + low;
    if (length === 0 || length > this.#maxMessageSize) {
      this.#failed = true;
      throw new ProtocolError(
        `frame length must be 1 to ${this.#maxMessageSize} bytes, got ${length}`,
      );
    }
    return length;
  }

  #hold(part: Uint8Array, length: number): void {
    const needed = this.#held + part.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(length, Math.max(needed, 2 * this.#buffer.length)));
      larger.set(this.#buffer.subarray(0, this.#held));
      this.#buffer = larger;
    }
    this.#buffer.set(part, this.#held);
    this.#held = needed;
  }

  #complete(part: Uint8Array, length: number): Uint8Array {
    if (this.#held === 0) return part;
    this.#hold(part, length);
    const whole = this.#buffer.subarray(0, length);
    this.#buffer = new Uint8Array(0);
    this.#held = 0;
    return whole;
  }
}
