/**
 * The life of a client: dial, handshake, ready, and reconnect after a loss. The layers above see
 * only requests with replies, and events.
 */
import { onWake } from "#platform";
import { equalBytes } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import type { ClientEvent, EventOf } from "../config/events.js";
import { placeTimeout } from "../errors/call-site.js";
import { ClientClosedError, ConnectionLostError, InvalidStateError } from "../errors/errors.js";
import type { Transport } from "../transport/transport.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";
import { type CallOptions, type Hindrance, watchDeadline } from "./call-options.js";
import { Calls } from "./calls.js";
import type { Connection } from "./connection.js";
import { Backoff } from "./backoff.js";
import { dialInTime, type HandshakeResult, shakeHands } from "./handshake.js";
import { Liveness } from "./liveness.js";
import type { ResolvedOptions } from "./options.js";
import type { Clock } from "../clock/clock.js";
import { onAbort } from "../clock/on-abort.js";

/** The state of a client; see `ThinClient.state`. */
export type ClientState = "idle" | "connecting" | "ready" | "reconnecting" | "closed";

/** Why a client is closed. */
export interface CloseReason {
  /** `stop()`, `disconnect()`, or a lost connection with `reconnect: false`. */
  readonly reason: "stopped" | "disconnected" | "failed";
  /** The error when `reason` is `failed`, else null. */
  readonly error: Error | null;
}

/** What a session reports to the client. */
export interface SessionHandlers {
  /** A handshake has finished; called before anything else from that connection. */
  onHandshake(result: HandshakeResult): void;
  /** A message that does not answer a call. */
  onMessage(message: DaemonResponse): void;
  emit(event: ClientEvent): void;
  /** Whether the daemon reported that it is connected to the mixnet. */
  isOnline(): boolean;
  /** Resolves when the daemon has sent the messages that it was given; null if none waits. */
  whenSent(): Promise<void> | null;
  /** The first connection could not be made; `start` may be called again. */
  onStartFailed(error: unknown): void;
  /** The session has ended for good. */
  onClosed(reason: CloseReason): void;
}

/** How long to wait for the daemon to close the connection after our goodbye, in milliseconds. */
const CLOSE_TIMEOUT_MS = 2000;

/** One client's session with its daemon. */
export class Session {
  readonly #dial: (signal: AbortSignal) => Promise<Transport>;
  readonly #place: string;
  readonly #options: ResolvedOptions;
  readonly #handlers: SessionHandlers;
  /** The requests to the daemon. */
  readonly calls: Calls;
  readonly #frameWaiters: FrameWaiters;
  readonly #liveness: Liveness | null;
  #state: ClientState = "idle";
  #connection: Connection | null = null;
  #instanceToken: Uint8Array | null = null;
  /** The daemon's name for our session; null before the first handshake. */
  #appId: Uint8Array | null = null;
  #shutdownSeen = false;
  #abortDial: AbortController | null = null;
  #closing: Promise<void> | null = null;
  #endDrain: (() => void) | null = null;
  /** The error that ended the client; null while it runs, or if it was ended on purpose. */
  #failure: Error | null = null;
  /** Null if a lost connection ends the client. */
  readonly #backoff: Backoff | null;
  /** When the connection was lost, by the monotonic clock. */
  #lostAt = 0;
  /** Why there is no connection now, if that is known. */
  #noConnection: Error | null = null;
  readonly #closed: Promise<CloseReason>;
  #resolveClosed!: (reason: CloseReason) => void;

  /** @param place where `dial` leads, for errors: an address, or `the daemon`. */
  constructor(
    dial: (signal: AbortSignal) => Promise<Transport>,
    place: string,
    options: ResolvedOptions,
    handlers: SessionHandlers,
  ) {
    this.#dial = dial;
    this.#place = place;
    this.#options = options;
    this.#handlers = handlers;
    this.calls = new Calls(options, {
      isOnline: () => handlers.isOnline(),
      isReady: () => this.#state === "ready",
      notUsable: (operation) => this.notUsable(operation),
      hindrance: (needsMixnet) => this.hindrance(needsMixnet),
    });
    this.#frameWaiters = new FrameWaiters(options.clock);
    this.#backoff = options.reconnect === false ? null : new Backoff(options.reconnect);
    this.#liveness = options.liveness === false ? null : this.#watch(options.liveness);
    this.#closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  get state(): ClientState {
    return this.#state;
  }

  get closed(): Promise<CloseReason> {
    return this.#closed;
  }

  /** Connects; resolves after the whole handshake. */
  async start(options?: CallOptions): Promise<void> {
    if (this.#state === "closed") throw this.#closedError("start");
    if (this.#state !== "idle") {
      throw new InvalidStateError(`start() was called before; the client is ${this.#state}`);
    }
    options?.signal?.throwIfAborted();
    this.#state = "connecting";
    const abort = new AbortController();
    this.#abortDial = abort;
    const end = (reason: unknown): void => abort.abort(reason);
    const hindrance = (): Hindrance | null => this.hindrance(false);
    const { clock } = this.#options;
    const deadline = watchDeadline(clock, "start", options, Infinity, end, hindrance);
    try {
      await this.#connect(abort.signal);
    } catch (error) {
      if (this.#state === "connecting") this.#startFailed(error);
      placeTimeout(error, this.start);
      throw error;
    } finally {
      deadline.dispose();
    }
  }

  /**
   * Ends calls that waited for the connection: it is not being made any more, and few calls have a
   * deadline.
   */
  #startFailed(error: unknown): void {
    this.#state = "idle";
    this.calls.rejectAll(() => error);
    this.#frameWaiters.rejectAll(error);
    this.#handlers.onStartFailed(error);
  }

  /**
   * Writes a request that has no reply.
   * @throws ConnectionLostError when there is no connection; RequestTimeoutError when the daemon
   * does not read in time.
   */
  async write(request: DaemonRequest, operation: string, options?: CallOptions): Promise<void> {
    const notUsable = this.notUsable(operation);
    if (notUsable) throw notUsable;
    const connection = this.#state === "ready" ? this.#connection : null;
    if (!connection) {
      throw new ConnectionLostError(`${operation}: not connected to the daemon`, { operation });
    }
    connection.send(request);
    this.calls.unread.sent(request.kind === "sendMessage" ? request.surbId : null);
    const { clock, defaultTimeoutMs } = this.#options;
    try {
      await new Promise<void>((resolve, reject) => {
        const unread = { text: "the daemon does not read what it was sent" };
        const hindrance = (): Hindrance | null => this.hindrance(false) ?? unread;
        const limit = defaultTimeoutMs;
        const deadline = watchDeadline(clock, operation, options, limit, reject, hindrance);
        void connection.drained().then(() => {
          deadline.dispose();
          resolve();
        });
      });
    } catch (error) {
      placeTimeout(error, this.write);
      throw error;
    }
    if (connection !== this.#connection) {
      const closed = this.notUsable(operation);
      if (closed) throw closed;
      const text = `${operation}: the connection was lost while writing; it may have been sent`;
      throw new ConnectionLostError(text, { operation });
    }
  }

  /**
   * What keeps the daemon from answering now; null if nothing is known.
   * @param needsMixnet whether the call needs the mixnet.
   */
  hindrance(needsMixnet: boolean): Hindrance | null {
    if (this.#state === "ready") {
      if (!needsMixnet || this.#handlers.isOnline()) return null;
      return { text: "the daemon has no connection to the mixnet" };
    }
    if (this.#connection !== null) {
      return { text: `${this.#place} accepted the connection but did not finish the handshake` };
    }
    const cause = this.#noConnection ?? undefined;
    const why = cause === undefined ? "" : `: ${cause.message}`;
    return { text: `there is no connection to ${this.#place}${why}`, cause };
  }

  /** Why a call cannot be made at all; null if it can be made now or after a reconnect. */
  notUsable(operation: string): Error | null {
    if (this.#state === "closed") return this.#closedError(operation);
    if (this.#state !== "idle") return null;
    return new InvalidStateError(`${operation}: the client is not started; call start() first`, {
      operation,
    });
  }

  /** The next frame that arrives. It is also dispatched as usual. */
  async nextFrame(options?: CallOptions): Promise<DaemonResponse> {
    const notUsable = this.notUsable("recv");
    if (notUsable) throw notUsable;
    try {
      return await this.#frameWaiters.next(options);
    } catch (error) {
      placeTimeout(error, this.nextFrame);
      throw error;
    }
  }

  /**
   * Ends the session; `goodbye` tells the daemon to forget it. Concurrent calls share one closing.
   * @param drainMs how long to wait for messages that were handed to the daemon to leave. A later
   * call with 0 ends the wait.
   */
  close(goodbye: boolean, drainMs = 0): Promise<void> {
    this.#closing ??= this.#close(goodbye, drainMs);
    if (drainMs === 0) this.#endDrain?.();
    return this.#closing;
  }

  /** Says goodbye without waiting, because the process is about to end. */
  closeAtOnce(): void {
    if (this.#state !== "ready") return;
    this.#connection?.send({ kind: "thinClose" });
    this.#connection?.end();
  }

  async #close(goodbye: boolean, drainMs: number): Promise<void> {
    if (this.#state === "closed") return;
    const connection = this.#connection;
    const reason: CloseReason = { reason: goodbye ? "stopped" : "disconnected", error: null };
    // The daemon does not keep what it writes before it sees the end, so read it.
    const wasReady = this.#state === "ready";
    const drains = !goodbye && connection !== null && wasReady;
    // The daemon would continue these operations for the session, but nobody could get their
    // results.
    const useless = drains
      ? [...this.calls.onlyForReplies(), ...this.calls.notices.cancellations]
      : [];
    for (const { request } of useless) connection?.send(request(QueryId.random()));
    this.#endCalls();
    const sent = connection && wasReady && drainMs > 0 ? this.#handlers.whenSent() : null;
    if (sent) await this.#drain(sent, connection!, drainMs);
    if (!drains) this.#tellClosed(reason);
    if (!connection) return;
    if (!drains) connection.silence();
    // Also in the middle of a handshake: the daemon may know our token already.
    if (goodbye) connection.send({ kind: "thinClose" });
    connection.end();
    const timer = this.#options.clock.after(CLOSE_TIMEOUT_MS, () => connection.destroy());
    await connection.closed;
    timer.cancel();
    if (drains) this.#tellClosed(reason);
  }

  /**
   * Waits until the messages have left, the connection is lost, the time is over, or `#endDrain` is
   * called.
   */
  async #drain(sent: Promise<void>, connection: Connection, drainMs: number): Promise<void> {
    const ended = new Promise<void>((resolve) => (this.#endDrain = resolve));
    const timer = this.#options.clock.after(drainMs, () => this.#endDrain?.());
    await Promise.race([sent, connection.closed, ended]);
    timer.cancel();
    this.#endDrain = null;
  }

  #closedError(operation: string): ClientClosedError {
    const cause = this.#failure;
    const why = cause ? `: the connection to the daemon was lost: ${cause.message}` : "";
    const details = { operation, cause: cause ?? undefined };
    return new ClientClosedError(`${operation}: the client is closed${why}`, details);
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const { clock, handshakeTimeoutMs } = this.#options;
    const began = clock.monotonic();
    const place = this.#place;
    const transport = await dialInTime(this.#dial, place, clock, signal, handshakeTimeoutMs);
    const leftMs = Math.max(0, handshakeTimeoutMs - (clock.monotonic() - began));
    if (signal.aborted || this.#state === "closed") {
      transport.destroy();
      throw signal.reason;
    }
    try {
      await shakeHands(transport, this.#options, leftMs, signal, {
        onConnection: (connection) => (this.#connection = connection),
        onReady: (connection, result) => {
          this.#ready(connection, result);
          // A handler of one of the handshake's events may have stopped the client.
          if (!this.isState("ready")) throw this.#closedError("start");
        },
        onBytes: () => this.#liveness?.heardBytes(),
        onResponse: (response) => this.#receive(response),
        onClose: (connection, error) => this.#lost(connection, error),
      });
    } catch (error) {
      // The connection is destroyed, so it is not what later calls wait for.
      if (!this.isState("ready")) this.#connection = null;
      throw error;
    }
  }

  #watch(settings: { intervalMs: number; timeoutMs: number }): Liveness {
    return new Liveness({
      ...settings,
      clock: this.#options.clock,
      load: this.calls,
      isOnline: () => this.#handlers.isOnline(),
      send: (request) => this.#connection?.send(request),
      onDead: (silentMs) => {
        const connection = this.#connection;
        if (!connection) return;
        const text = `the daemon was silent for ${silentMs} ms and did not answer`;
        connection.silence();
        connection.destroy();
        this.#lost(connection, new ConnectionLostError(text));
      },
    });
  }

  #ready(connection: Connection, result: HandshakeResult): void {
    const again = this.#state === "reconnecting";
    const newInstance = !sameToken(this.#instanceToken, result.instanceToken);
    this.#instanceToken = result.instanceToken;
    const resumed = this.#isResumed(result);
    this.#state = "ready";
    this.#backoff?.connected(this.#options.clock.monotonic());
    this.#shutdownSeen = false;
    this.#options.logger.info("connected to the daemon", {
      address: connection.address,
      resumed,
    });
    this.#handlers.onHandshake(result);
    if (!this.isState("ready")) return;
    const send = (request: DaemonRequest): void => connection.send(request);
    this.calls.connected(send, resumed);
    this.#liveness?.start();
    if (again) {
      const downMs = this.#options.clock.monotonic() - this.#lostAt;
      this.#options.metrics?.({ name: "reconnect", resumed, downMs });
      this.#handlers.emit({ type: "reconnected", resumed, newInstance });
    }
    for (const response of result.early) {
      if (this.isState("ready")) this.#receive(response);
    }
  }

  /**
   * Whether the daemon still has what belonged to our session. It may know the token and still have
   * forgotten it: if our token began a new session whose answer was lost, or if another client used
   * the token.
   */
  #isResumed({ resumed, appId }: HandshakeResult): boolean {
    const before = this.#appId;
    this.#appId = appId;
    return resumed && (before === null || appId === null || equalBytes(before, appId));
  }

  #receive(response: DaemonResponse | MalformedReply): void {
    if (this.#liveness?.heard(response)) return;
    if (response.kind !== "malformedReply") this.#frameWaiters.give(response);
    if (this.calls.take(response)) return;
    if (response.kind === "malformedReply") return;
    if (response.kind === "shutdownEvent") this.#shutdownSeen = true;
    this.#handlers.onMessage(response);
    if (response.kind === "connectionStatusEvent") this.calls.refill();
  }

  #lost(connection: Connection, error: Error | null): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#liveness?.stop();
    this.#lostAt = this.#options.clock.monotonic();
    this.#noConnection = error;
    const event: EventOf<"daemonDisconnected"> = {
      type: "daemonDisconnected",
      isGraceful: this.#shutdownSeen,
      error,
    };
    this.#options.logger.warn("connection to the daemon lost", {
      isGraceful: this.#shutdownSeen,
      error: (error ?? hungUp(this.#shutdownSeen)).message,
    });
    if (this.#backoff?.lost(this.#lostAt) === false) {
      this.#options.logger.warn("connections keep getting lost: waiting longer", {
        hint: "the daemon keeps exiting, or another client uses this client's session token",
      });
    }
    this.#state = "reconnecting";
    this.calls.connectionLost(
      (call) =>
        new ConnectionLostError(`${call.operation}: the connection to the daemon was lost`, {
          operation: call.operation,
          cause: error ?? undefined,
        }),
    );
    this.#handlers.emit(event);
    if (this.#backoff === null) {
      this.#finish({ reason: "failed", error: error ?? hungUp(this.#shutdownSeen) });
    } else if (this.#connection === null && this.isState("reconnecting")) {
      void this.#reconnect(this.#backoff);
    }
  }

  /** Like `state ===`, for places where the compiler would remember an older state. */
  isState(state: ClientState): boolean {
    return this.#state === state;
  }

  /** Waits before an attempt. The wait ends early if a page returns that may have slept. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const pause = new AbortController();
    const woken = Symbol("woken");
    const stopListening = [
      onAbort(signal, () => pause.abort(signal.reason)),
      onWake(() => pause.abort(woken)),
    ];
    try {
      await this.#options.clock.sleep(ms, pause.signal);
    } catch (error) {
      if (error !== woken) throw error;
    } finally {
      for (const stop of stopListening) stop();
    }
  }

  async #reconnect(backoff: Backoff): Promise<void> {
    const abort = new AbortController();
    this.#abortDial = abort;
    while (!abort.signal.aborted) {
      try {
        await this.#pause(backoff.pause(), abort.signal);
        await this.#connect(abort.signal);
        return;
      } catch (error) {
        if (abort.signal.aborted) return;
        this.#noConnection = error instanceof Error ? error : null;
        const text = error instanceof Error ? error.message : String(error);
        this.#options.logger.warn("reconnecting failed", { error: text });
      }
    }
  }

  #finish(reason: CloseReason): void {
    if (this.#state === "closed") return;
    this.#failure = reason.error;
    this.#endCalls();
    this.#tellClosed(reason);
  }

  /** Ends all calls when nothing can be asked. */
  #endCalls(): void {
    this.#state = "closed";
    this.#connection = null;
    this.#abortDial?.abort(this.#closedError("start"));
    this.calls.end((call) => this.#closedError(call.operation));
    this.#liveness?.stop();
    this.#frameWaiters.rejectAll(this.#closedError("recv"));
  }

  #tellClosed(reason: CloseReason): void {
    this.#handlers.onClosed(reason);
    this.#resolveClosed(reason);
  }
}

function hungUp(saidGoodbye: boolean): ConnectionLostError {
  const how = saidGoodbye
    ? "the daemon said goodbye and closed the connection"
    : "the daemon closed the connection without a goodbye";
  return new ConnectionLostError(how);
}

function sameToken(before: Uint8Array | null, now: Uint8Array | null): boolean {
  return before !== null && now !== null && equalBytes(before, now);
}

interface Waiter {
  readonly resolve: (response: DaemonResponse) => void;
  readonly reject: (reason: unknown) => void;
}

/** Callers who wait for the daemon's next frame (`recv`, kept for parity). */
class FrameWaiters {
  readonly #clock: Clock;
  #waiters: Waiter[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves with the next frame. */
  next(options: CallOptions | undefined): Promise<DaemonResponse> {
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (response) => {
          deadline.dispose();
          resolve(response);
        },
        reject: (reason) => {
          deadline.dispose();
          reject(reason);
        },
      };
      const deadline = watchDeadline(this.#clock, "recv", options, Infinity, (reason) => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(reason);
      });
      this.#waiters.push(waiter);
    });
  }

  /** Gives a frame to everyone who waits. */
  give(response: DaemonResponse): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.resolve(response);
  }

  /** Rejects everyone who waits: no frame will come. */
  rejectAll(reason: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(reason);
  }
}
