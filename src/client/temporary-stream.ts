/** A stream with capabilities of its own that holds the elements of one copy. */
import type { PlainBytes } from "../bytes/bytes.js";
import type { MessageBoxIndex, ReadCap, WriteCap } from "../bytes/opaque.js";
import { type BoxContext, isThere, writeBox } from "./boxes.js";
import { newKeypair } from "./pigeonhole.js";
import type { KeypairResult } from "./pigeonhole-types.js";
import type { SignalScope } from "./run-within.js";

/**
 * Most boxes that are under way at once: as many as a real daemon takes before it stops reading
 * this client's requests (spec/thin-protocol §1.3). Each is an operation of its own, with a courier
 * that the daemon chooses for it alone.
 */
const MAX_IN_FLIGHT = 16;

/** Writes boxes that follow each other, several at once. */
export class TemporaryStream {
  readonly writeCap: WriteCap;
  readonly #context: BoxContext;
  readonly #scope: SignalScope;
  readonly #onWritten: (boxesDone: number) => void;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #readCap: ReadCap;
  /** The first box that a courier acknowledged; null before. */
  #acknowledged: MessageBoxIndex | null = null;
  #next: MessageBoxIndex;
  #started = 0;
  #done = 0;

  private constructor(
    context: BoxContext,
    scope: SignalScope,
    onWritten: (boxesDone: number) => void,
    stream: KeypairResult,
  ) {
    this.#context = context;
    this.#scope = scope;
    this.#onWritten = onWritten;
    this.writeCap = stream.writeCap;
    // Couriers read from the capability's own box on.
    this.#readCap = stream.readCap;
    this.#next = stream.firstMessageIndex;
  }

  /** A new stream. @param seed 32 random bytes. */
  static async open(
    context: BoxContext,
    scope: SignalScope,
    seed: Uint8Array,
    onWritten: (boxesDone: number) => void,
  ): Promise<TemporaryStream> {
    const options = { signal: scope.signal, timeoutMs: Infinity };
    const keypair = await newKeypair(context.session, seed, options, "copy");
    return new TemporaryStream(context, scope, onWritten, keypair);
  }

  /** How many boxes were given to {@link write}. */
  get boxesStarted(): number {
    return this.#started;
  }

  /**
   * Resolves when the box is sealed and on its way, which may be long before it is written. A
   * failure later on aborts the scope.
   */
  async write(plaintext: PlainBytes): Promise<void> {
    const { signal } = this.#scope;
    while (this.#inFlight.size >= MAX_IN_FLIGHT) await Promise.race(this.#inFlight);
    signal.throwIfAborted();
    this.#started++;
    const box = { writeCap: this.writeCap, index: this.#next, plaintext, exclusive: false };
    let failed: (reason: unknown) => void;
    const sealed = new Promise<MessageBoxIndex>((resolve, reject) => {
      failed = reject;
      // One box at a time is sealed, so that other calls get their turn at the daemon.
      const written = writeBox(this.#context, "copy", box, signal, resolve)
        .then(() => {
          this.#acknowledged ??= box.index;
          this.#onWritten(++this.#done);
        })
        .catch((error: unknown) => {
          this.#scope.abort(error);
          failed(error);
        })
        .finally(() => this.#inFlight.delete(written));
      this.#inFlight.add(written);
    });
    this.#next = await sealed;
  }

  /** Whether a box was acknowledged. */
  get hasBegun(): boolean {
    return this.#acknowledged !== null;
  }

  /** Whether the network still has what was acknowledged first. */
  async isKept(): Promise<boolean> {
    const box = this.#acknowledged;
    return box === null || isThere(this.#context, this.#readCap, box, this.#scope.signal);
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }
}
