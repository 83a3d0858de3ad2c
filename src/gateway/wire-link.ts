/**
 * A connection with the wire protocol: exact messages during the handshake, then sealed commands in
 * both directions. The same code serves both ends.
 */
import { type Bytes, concatBytes } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import { ProtocolError } from "../errors/errors.js";
import { LinkError } from "../mixnet/link.js";
import type { Transport } from "../transport/transport.js";
import type { CommandCodec, WireCommand } from "./commands.js";
import { FrameOpener, FrameSealer } from "./frames.js";

/** How many unread bytes may wait here before the other end is slowed down. */
const longestBacklog = 64 * 1024;

/** The parameters of a link's commands. */
export interface CommandStream {
  readonly codec: CommandCodec;
  /** The key with which this end seals, 32 bytes. */
  readonly sealKey: Uint8Array;
  /** The key with which this end opens, 32 bytes. */
  readonly openKey: Uint8Array;
  /** Longest command of the other end, in bytes. */
  readonly longestCommand: number;
  /** The link ends if no complete command arrives for this time, in ms. */
  readonly readTimeoutMs: number;
  /** The link ends if the other end accepts nothing for this time, in ms. */
  readonly writeTimeoutMs: number;
  /**
   * Called for each command. If it throws or rejects, the link ends. While its promise is pending
   * no further command is read, so a peer that floods the link with commands that need answers
   * cannot fill the memory of either end.
   */
  onCommand(command: WireCommand): void | Promise<void>;
}

interface PendingRead {
  readonly length: number;
  readonly resolve: (bytes: Bytes) => void;
  readonly reject: (error: Error) => void;
}

/** One end of a connection. */
export class WireLink {
  /** Resolves once, with the reason, when the link has ended; never rejects. */
  readonly ended: Promise<Error>;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  #isPaused = false;
  /** Whether an answer to a command is pending. */
  #isAnswering = false;
  #read: PendingRead | null = null;
  #stream: CommandStream | null = null;
  #sealer: FrameSealer | null = null;
  #opener: FrameOpener | null = null;
  #readTimer: Timer | null = null;
  #end: Error | null = null;
  #resolveEnded!: (error: Error) => void;

  /** Takes over a transport that nobody has opened yet. */
  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    transport.open({
      onData: (chunk) => this.#onData(chunk),
      onClose: (error) => this.close(error ?? new LinkError("the other end closed the connection")),
    });
  }

  /** Why the link ended; null while it is up. */
  get error(): Error | null {
    return this.#end;
  }

  /**
   * The next `length` bytes, for messages of known length. One read at a time, and none after
   * {@link beginCommands}. Rejects with the reason when the link ends first.
   */
  readExactly(length: number): Promise<Bytes> {
    if (this.#end !== null) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#read = { length, resolve, reject };
      this.#serveRead();
    });
  }

  /** Writes bytes unchanged. */
  write(bytes: Uint8Array): void {
    if (this.#end === null) this.#transport.write(bytes);
  }

  /** From here on both ends use sealed commands. */
  beginCommands(stream: CommandStream): void {
    if (this.#end !== null) return;
    this.#stream = stream;
    this.#sealer = new FrameSealer(stream.sealKey);
    this.#opener = new FrameOpener(stream.openKey, stream.longestCommand);
    for (const chunk of this.#chunks.splice(0)) this.#opener.push(chunk);
    this.#held = 0;
    this.#resume();
    this.#restartReadTimer();
    this.#openFrames();
  }

  /**
   * Sends a command after all earlier ones. Resolves when the other end has accepted enough that
   * more may follow; rejects with the reason when the link has ended or ends meanwhile.
   */
  async send(command: WireCommand): Promise<void> {
    if (this.#end !== null) throw this.#end;
    const { codec, writeTimeoutMs } = this.#stream!;
    // Seal and write together, so that counters and frames stay in the same order.
    const frame = this.#sealer!.seal(codec.encode(command));
    if (this.#transport.write(frame)) return;
    const timer = this.#clock.after(writeTimeoutMs, () =>
      this.close(new LinkError(`the other end accepted nothing for ${writeTimeoutMs} ms`)),
    );
    await this.#transport.drained();
    timer.cancel();
    if (this.#end !== null) throw this.#end as Error;
  }

  /**
   * Sends a command that answers another one, and reads no further until it is accepted. So a peer
   * that floods the link with commands that need answers cannot fill the memory of either end.
   * Never throws.
   */
  acknowledge(command: WireCommand): void {
    if (this.#end !== null) return;
    const isShort = this.#transport.write(this.#sealer!.seal(this.#stream!.codec.encode(command)));
    if (isShort || this.#isPaused) return;
    this.#isPaused = true;
    this.#transport.pause();
    void this.#transport.drained().then(() => this.#resume());
  }

  /** Ends the link; what waits to be written is lost. Idempotent: the first reason is kept. */
  close(reason: Error): void {
    if (this.#end !== null) return;
    this.#end = reason;
    this.#readTimer?.cancel();
    this.#transport.destroy();
    this.#chunks.length = 0;
    this.#opener = null;
    this.#read?.reject(reason);
    this.#read = null;
    this.#resolveEnded(reason);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#end !== null) return;
    if (this.#opener !== null) {
      this.#opener.push(chunk);
      this.#openFrames();
      return;
    }
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    this.#serveRead();
    if (this.#held > longestBacklog && !this.#isPaused) {
      this.#isPaused = true;
      this.#transport.pause();
    }
  }

  #resume(): void {
    if (!this.#isPaused || this.#isAnswering || this.#end !== null) return;
    this.#isPaused = false;
    this.#transport.resume();
  }

  #serveRead(): void {
    const read = this.#read;
    if (read === null) return;
    if (this.#held < read.length) {
      this.#resume();
      return;
    }
    this.#read = null;
    const all = concatBytes(...this.#chunks);
    this.#chunks.length = 0;
    this.#held = all.length - read.length;
    if (this.#held > 0) this.#chunks.push(all.slice(read.length));
    read.resolve(all.slice(0, read.length));
  }

  #openFrames(): void {
    try {
      while (!this.#isAnswering) {
        const body = this.#opener?.next() ?? null;
        if (body === null) return;
        this.#restartReadTimer();
        const answering = this.#stream!.onCommand(this.#stream!.codec.decode(body));
        if (answering instanceof Promise) this.#readOnAfter(answering);
      }
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #readOnAfter(answering: Promise<void>): void {
    this.#isAnswering = true;
    if (!this.#isPaused && this.#end === null) {
      this.#isPaused = true;
      this.#transport.pause();
    }
    answering.then(
      () => {
        this.#isAnswering = false;
        this.#resume();
        this.#openFrames();
      },
      (cause: unknown) => this.#fail(cause),
    );
  }

  #fail(cause: unknown): void {
    this.close(cause instanceof Error ? cause : new ProtocolError(String(cause)));
  }

  #restartReadTimer(): void {
    this.#readTimer?.cancel();
    if (this.#end !== null) return;
    const { readTimeoutMs } = this.#stream!;
    this.#readTimer = this.#clock.after(
      readTimeoutMs,
      () => this.close(new LinkError(`the other end was silent for ${readTimeoutMs} ms`)),
      { background: true },
    );
  }
}
