/**
 * A client's connection, as the daemon sees it: frames, the order of its requests, back-pressure.
 */
import { decodedSize } from "../bytes/decoded-size.js";
import type { Clock, Timer } from "../clock/clock.js";
import { ProtocolError } from "../errors/errors.js";
import type { Timing } from "../mixnet/timing.js";
import type { Transport } from "../transport/transport.js";
import { FrameDecoder, FrameEncoder } from "../wire/framing.js";
import { type DaemonRequest, decodeRequest } from "../wire/requests.js";
import { type DaemonResponse, responseBody } from "../wire/responses.js";
import type { AppSession } from "./app-session.js";
import { asError } from "./pigeonhole-context.js";

/** How many waiting requests pause the client, and below how many it continues. */
const PAUSE_ABOVE = 256;
const RESUME_BELOW = 64;
/** The same for their bytes. */
const PAUSE_ABOVE_BYTES = 64 * 1024 * 1024;
/** How many unsent bytes stop the daemon from reading more requests of that client. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;
/** How many unsent bytes disconnect the client, whoever caused them. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
/** How often within its deadline a response is checked. */
const LOOKS_PER_DEADLINE = 6;

/** A request with a frame up to this length takes little memory, whatever it contains. */
const SMALL_FRAME_BYTES = 1024;

/**
 * Estimates the bytes that a waiting request takes: decoded, it may be a hundred times its frame.
 */
function sizeOf(request: DaemonRequest, frameLength: number): number {
  if (frameLength <= SMALL_FRAME_BYTES) return frameLength;
  return Math.max(frameLength, decodedSize(request, PAUSE_ABOVE_BYTES));
}

/** What a connection needs from its daemon. */
export interface ClientConnectionHandlers {
  readonly clock: Clock;
  /** Its `writeDeadlineMs`: how long a client may take to read one response. */
  readonly timing: Pick<Timing, "writeDeadlineMs">;
  /** Serves a request. If it returns a promise, the next request of this client waits for it. */
  onRequest(connection: ClientConnection, request: DaemonRequest): void | Promise<void>;
  /** The connection is closed, and everything that arrived before its end was served. */
  onClose(connection: ClientConnection): void;
  /** A frame was invalid or a handler failed; for the log. */
  onFault(error: Error): void;
}

/** One client's connection. Requests are served strictly in the order in which they arrived. */
export class ClientConnection {
  readonly #transport: Transport;
  readonly #handlers: ClientConnectionHandlers;
  readonly #decoder = new FrameDecoder();
  #requests: { readonly request: DaemonRequest; readonly size: number }[] = [];
  #waitingBytes = 0;
  #serving = false;
  #held = true;
  #paused = false;
  #closed = false;
  readonly #unsent = new FrameEncoder();
  #waitingForRoom = false;
  /** Bytes given to the transport so far, and the end of each response that it still holds. */
  #written = 0;
  #ends: number[] = [];
  #slowSinceMs = 0;
  #slow: Timer | null = null;
  /** We closed the connection: nothing more is served. */
  #ended = false;
  /** The transport is closed; requests that arrived before are still served. */
  #gone = false;
  #finished = false;
  /** The session of this connection; set by the daemon. */
  session: AppSession | null = null;
  /** Whether status and document events may be sent: after the client's first request. */
  wantsBroadcasts = false;
  /** Whether status or document changed before that. */
  missedBroadcast = { status: false, document: false };

  constructor(transport: Transport, handlers: ClientConnectionHandlers) {
    this.#transport = transport;
    this.#handlers = handlers;
  }

  /** The client's address. */
  get address(): string {
    return this.#transport.address;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Starts reading; requests are kept until {@link release}. */
  open(): void {
    this.#transport.open({
      onData: (chunk) => this.#onData(chunk),
      onClose: (error) => {
        this.#closed = true;
        this.#gone = true;
        this.#slow?.cancel();
        // After an orderly end, requests that arrived are still served; after a reset they are not.
        if (error !== null) this.#ended = true;
        this.#serve();
      },
    });
  }

  /** Whether the first two messages were sent. */
  get greeted(): boolean {
    return !this.#held;
  }

  /** Starts to serve requests, after status and document were sent. */
  release(): void {
    this.#held = false;
    this.#serve();
  }

  /** Queues a response. Responses of one event-loop turn leave in one write. */
  send(response: DaemonResponse): void {
    if (this.#closed) return;
    const isFirst = this.#unsent.length === 0;
    this.#unsent.add(responseBody(response));
    if (this.#slow !== null) this.#ends.push(this.#written + this.#unsent.length);
    if (isFirst) queueMicrotask(() => this.#flush());
    if (this.#unsent.length + this.#transport.queuedBytes > MAX_HELD_BYTES) this.#hangUp();
  }

  /** Sends what is queued, then closes. */
  end(): void {
    this.#flush();
    this.#closed = true;
    this.#ended = true;
    this.#transport.end();
    if (this.#transport.queuedBytes === 0) return;
    const { clock, timing } = this.#handlers;
    this.#slow?.cancel();
    const giveUp = (): void => this.#transport.destroy();
    this.#slow = clock.after(timing.writeDeadlineMs, giveUp, { background: true });
  }

  /** Closes at once. */
  destroy(): void {
    this.#closed = true;
    this.#ended = true;
    this.#slow?.cancel();
    this.#unsent.take();
    this.#transport.destroy();
  }

  #flush(): void {
    if (this.#unsent.length === 0) return;
    const frames = this.#unsent.take();
    if (this.#slow !== null && this.#transport.queuedBytes === 0) {
      // A client that reads everything between two looks must not fill the list until the next one.
      this.#ends = this.#ends.filter((end) => end > this.#written);
      this.#slowSinceMs = this.#handlers.clock.monotonic();
    }
    this.#written += frames.length;
    this.#transport.write(frames);
    if (this.#slow !== null || this.#closed || this.#transport.queuedBytes === 0) return;
    this.#ends = [this.#written];
    this.#slowSinceMs = this.#handlers.clock.monotonic();
    this.#lookAfter();
  }

  /** Disconnects a client that has not read a response within the deadline; its session is kept. */
  #lookAfter(): void {
    const { clock, timing } = this.#handlers;
    const look = (): void => {
      this.#slow = null;
      const { queuedBytes } = this.#transport;
      if (this.#closed || queuedBytes === 0) return;
      const read = this.#written - queuedBytes;
      const now = clock.monotonic();
      if (this.#ends[0]! <= read) {
        this.#ends = this.#ends.filter((end) => end > read);
        this.#slowSinceMs = now;
      }
      if (now - this.#slowSinceMs >= timing.writeDeadlineMs) this.#hangUp();
      else this.#lookAfter();
    };
    const wait = timing.writeDeadlineMs / LOOKS_PER_DEADLINE;
    this.#slow = clock.after(wait, look, { background: true });
  }

  #hangUp(): void {
    if (this.#closed) return;
    this.#handlers.onFault(new ProtocolError("a client does not read its responses"));
    this.destroy();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#decoder.push(chunk, (body) => {
        const request = decodeRequest(body);
        if (!request) return;
        const size = sizeOf(request, body.length);
        this.#requests.push({ request, size });
        this.#waitingBytes += size;
      });
    } catch (error) {
      // What follows an invalid frame cannot be trusted; the session is kept so that it can be
      // resumed.
      const text = "a client sent an invalid frame";
      this.#handlers.onFault(
        error instanceof ProtocolError ? error : new ProtocolError(text, { cause: error }),
      );
      this.#serve();
      this.end();
      return;
    }
    this.#serve();
  }

  #serve(): void {
    while (!this.#serving && !this.#held && !this.#ended && this.#requests.length > 0) {
      if (!this.#gone && this.#isStuck()) break;
      const { request, size } = this.#requests.shift()!;
      this.#waitingBytes -= size;
      const pending = this.#run(request);
      if (pending) {
        this.#serving = true;
        void pending.finally(() => {
          this.#serving = false;
          this.#serve();
        });
      }
    }
    if (!this.#gone) this.#regulate();
    else if (!this.#serving || this.#ended) this.#finish();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#requests = [];
    this.#handlers.onClose(this);
  }

  #run(request: DaemonRequest): Promise<void> | null {
    try {
      const result = this.#handlers.onRequest(this, request);
      return result ? result.catch((error: unknown) => this.#fault(error)) : null;
    } catch (error) {
      this.#fault(error);
      return null;
    }
  }

  #fault(error: unknown): void {
    this.#handlers.onFault(asError(error));
  }

  /** Whether the client does not read the responses that it asked for. */
  #isStuck(): boolean {
    return this.#unsent.length + this.#transport.queuedBytes > MAX_UNSENT_BYTES;
  }

  #regulate(): void {
    const waiting = this.#requests.length;
    const tooMuch = waiting > PAUSE_ABOVE || this.#waitingBytes > PAUSE_ABOVE_BYTES;
    const stuck = this.#isStuck();
    if (stuck && !this.#waitingForRoom && !this.#closed) {
      this.#waitingForRoom = true;
      void this.#transport.drained().then(() => {
        this.#waitingForRoom = false;
        this.#serve();
      });
    }
    if (!this.#paused && (tooMuch || stuck)) {
      this.#paused = true;
      this.#transport.pause();
    } else if (this.#paused && !tooMuch && waiting < RESUME_BELOW && !stuck) {
      this.#paused = false;
      this.#transport.resume();
    }
  }
}
