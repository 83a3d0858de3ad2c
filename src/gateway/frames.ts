/** Frames of a link after its handshake. spec/mixnet §2.2. */
import { chacha20Poly1305Open, chacha20Poly1305Seal } from "#platform";
import { type Bytes, checkBytes, concatBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import { TAG_LENGTH, cipherNonce } from "./noise.js";

const headerLength = 4 + TAG_LENGTH;
/** Overhead of a frame over its body, in bytes. */
export const FRAME_OVERHEAD = headerLength + TAG_LENGTH;
/** The nonce for new keys: all ones in the counter. */
const rekeyNonce = new Uint8Array(12).fill(255, 4);
const zeroKey = new Uint8Array(32);

/** One direction's key, which every frame replaces, and its counter, which continues. */
class FrameCipher {
  key: Bytes;
  counter = 0;

  constructor(key: Uint8Array) {
    checkBytes("key", key, 32);
    this.key = concatBytes(key);
  }

  nextNonce(): Bytes {
    // Two per frame, so 2^53 is never reached.
    return cipherNonce(this.counter++);
  }

  rekey(): void {
    const next = chacha20Poly1305Seal(this.key, rekeyNonce, zeroKey).slice(0, 32);
    this.key.fill(0);
    this.key = next;
  }
}

/** Makes the frames of one direction. Write frames in the order in which they are made. */
export class FrameSealer {
  readonly #cipher: FrameCipher;

  /** @param key one of the handshake's transport keys, 32 bytes. */
  constructor(key: Uint8Array) {
    this.#cipher = new FrameCipher(key);
  }

  /** @internal For tests; secret. */
  get state(): { readonly key: Bytes; readonly counter: number } {
    return { key: this.#cipher.key, counter: this.#cipher.counter };
  }

  /** A frame: its sealed length, then the sealed `body`. 36 bytes longer than `body`. */
  seal(body: Uint8Array): Bytes {
    const cipher = this.#cipher;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, body.length + TAG_LENGTH);
    const header = chacha20Poly1305Seal(cipher.key, cipher.nextNonce(), length);
    const sealed = chacha20Poly1305Seal(cipher.key, cipher.nextNonce(), body);
    cipher.rekey();
    return concatBytes(header, sealed);
  }
}

/** Takes one direction's bytes, in any portions, and returns the bodies of its frames. */
export class FrameOpener {
  readonly #cipher: FrameCipher;
  readonly #longestBody: number;
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  /** Length of the next sealed body; null until its header has arrived. */
  #expected: number | null = null;
  #broken = false;

  /**
   * @param key one of the handshake's transport keys, 32 bytes.
   * @param longestBody in bytes; a frame that announces a longer body is refused at its header,
   * before memory is taken for it.
   */
  constructor(key: Uint8Array, longestBody: number) {
    this.#cipher = new FrameCipher(key);
    this.#longestBody = longestBody;
  }

  /** @internal For tests; secret. */
  get state(): { readonly key: Bytes; readonly counter: number } {
    return { key: this.#cipher.key, counter: this.#cipher.counter };
  }

  /** Takes received bytes. Do not change the array afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#broken) return;
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /**
   * The body of the next frame; null until all of it has arrived.
   * @throws ProtocolError when a frame cannot be opened or has an invalid length. Then the link
   * must end: nothing after it can be read, and every further call throws again.
   */
  next(): Bytes | null {
    if (this.#broken) throw new ProtocolError("frame: the link is broken");
    try {
      return this.#next();
    } catch (error) {
      this.#broken = true;
      this.#chunks.length = 0;
      this.#held = 0;
      throw error;
    }
  }

  #next(): Bytes | null {
    const cipher = this.#cipher;
    if (this.#expected === null) {
      if (this.#held < headerLength) return null;
      const header = chacha20Poly1305Open(cipher.key, cipher.nextNonce(), this.#take(headerLength));
      if (header === null) throw new ProtocolError("frame: header cannot be opened");
      const length = new DataView(header.buffer).getUint32(0);
      if (length < TAG_LENGTH || length > this.#longestBody + TAG_LENGTH) {
        throw new ProtocolError(
          `frame: body of ${length - TAG_LENGTH} bytes, at most ${this.#longestBody}`,
        );
      }
      this.#expected = length;
    }
    if (this.#held < this.#expected) return null;
    const body = chacha20Poly1305Open(cipher.key, cipher.nextNonce(), this.#take(this.#expected));
    if (body === null) throw new ProtocolError("frame: body cannot be opened");
    this.#expected = null;
    cipher.rekey();
    return body;
  }

  #take(length: number): Bytes {
    const taken = new Uint8Array(length);
    let at = 0;
    let used = 0;
    while (at < length) {
      const chunk = this.#chunks[used]!;
      const part = chunk.subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length < chunk.length) this.#chunks[used] = chunk.subarray(part.length);
      else used++;
    }
    this.#chunks.splice(0, used);
    this.#held -= length;
    return taken;
  }
}
