/** Frames of a link after its handshake. spec/mixnet §2.2. */
import { chacha20Poly1305Open, chacha20Poly1305Seal } from "#platform";
import { type Bytes, checkBytes, concatBytes } from "../bytes/bytes.js";
import { ProtocolError } from "../errors/errors.js";
import { TAG_LENGTH, cipherNonce } from "./noise.js";

const headerLength = 4 + TAG_LENGTH;
/** How many bytes a frame has beyond its body. */
export const FRAME_OVERHEAD = headerLength + TAG_LENGTH;
/** The nonce that new keys are made under: all ones in the counter. */
const rekeyNonce = new Uint8Array(12).fill(255, 4);
const zeroKey = new Uint8Array(32);

/** One direction's key, which every frame replaces, and its counter, which goes on. */
class FrameCipher {
  key: Bytes;
  counter = 0;

  constructor(key: Uint8Array) {
    checkBytes("key", key, 32);
    this.key = concatBytes(key);
  }

  nextNonce(): Bytes {
    // Twice for each frame: 2^53 is never reached.
    return cipherNonce(this.counter++);
  }

  rekey(): void {
    const next = chacha20Poly1305Seal(this.key, rekeyNonce, zeroKey).slice(0, 32);
    this.key.fill(0);
    this.key = next;
  }
}

/**
 * Makes the frames of one direction. Frames must be written in the order in which they are made.
 */
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

  /** A frame: its length, sealed, and `body`, sealed. 36 bytes longer than `body`. */
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

/** Takes one direction's bytes, however they are cut, and gives the bodies of its frames. */
export class FrameOpener {
  readonly #cipher: FrameCipher;
  readonly #longestBody: number;
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  /** Length of the sealed body that comes next; null while its header is to come. */
  #expected: number | null = null;
  #broken = false;

  /**
   * @param key one of the handshake's transport keys, 32 bytes.
   * @param longestBody in bytes; a frame that announces a longer one is refused at its header,
   * before any memory is taken for it.
   */
  constructor(key: Uint8Array, longestBody: number) {
    this.#cipher = new FrameCipher(key);
    this.#longestBody = longestBody;
  }

  /** @internal For tests; secret. */
  get state(): { readonly key: Bytes; readonly counter: number } {
    return { key: this.#cipher.key, counter: this.#cipher.counter };
  }

  /** Takes what came in. The array must not be changed afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#broken) return;
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /**
   * The body of the next frame; null until the rest of it has come.
   * @throws ProtocolError when a frame does not open or has a length that none has. The link is to
   * be ended then: nothing after it can be read, and every further call throws again.
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
      if (header === null) throw new ProtocolError("frame: header does not open");
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
    if (body === null) throw new ProtocolError("frame: body does not open");
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
