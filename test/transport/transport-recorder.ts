/** Records what a transport delivers. */
import { concatBytes } from "../../src/bytes/bytes.js";
import type { Transport } from "../../src/transport/transport.js";

/** Handlers that record, and promises to wait for. */
export class Recorder {
  readonly chunks: Uint8Array[] = [];
  readonly closes: (Error | null)[] = [];
  /** Whether something was delivered after `onClose`. */
  dataAfterClose = false;
  bytes = 0;
  /** Resolves with the argument of `onClose`. */
  readonly closed: Promise<Error | null>;
  #resolveClosed!: (error: Error | null) => void;
  #waiting: { readonly bytes: number; readonly resolve: () => void }[] = [];

  constructor() {
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  /** Opens the transport with a new recorder. */
  static open(transport: Transport): Recorder {
    const recorder = new Recorder();
    transport.open(recorder.handlers());
    return recorder;
  }

  handlers(): { onData(chunk: Uint8Array): void; onClose(error: Error | null): void } {
    return {
      onData: (chunk) => {
        if (this.closes.length > 0) this.dataAfterClose = true;
        this.chunks.push(chunk);
        this.bytes += chunk.length;
        this.#waiting = this.#waiting.filter(({ bytes, resolve }) => {
          if (this.bytes < bytes) return true;
          resolve();
          return false;
        });
      },
      onClose: (error) => {
        this.closes.push(error);
        this.#resolveClosed(error);
      },
    };
  }

  /** Resolves when this many bytes have arrived in total. */
  received(bytes: number): Promise<void> {
    if (this.bytes >= bytes) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ bytes, resolve }));
  }

  /** All bytes so far. */
  all(): Uint8Array {
    return concatBytes(...this.chunks);
  }
}

/** Bytes that repeat late and are cheap to generate, so that wrong order or length shows. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** Splits `bytes` into pieces of 1, 2, 3, 5, 7, 11… bytes, growing and then starting again. */
export function* oddPieces(bytes: Uint8Array): Generator<Uint8Array> {
  let size = 1;
  for (let at = 0; at < bytes.length; at += size) {
    size = size > 100_000 ? 1 : size + Math.ceil(size / 2);
    yield bytes.subarray(at, Math.min(at + size, bytes.length));
  }
}
