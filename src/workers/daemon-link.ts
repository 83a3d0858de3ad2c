/** A connection to the daemon that several askers share, and what the daemon has from it. */
import { type Bytes, toHex } from "../bytes/bytes.js";
import { hash256 } from "../bytes/hash.js";
import type { QueryId } from "../bytes/opaque.js";
import { Liveness } from "../client/liveness.js";
import { Unread, showsThatItLeft } from "../client/unread.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { Transport } from "../transport/transport.js";
import { FrameEncoder } from "../wire/framing.js";
import { type Cancel, type Start, copyKey, envelopeKey, isStart } from "../wire/operations.js";
import { type DaemonRequest, requestBody } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply } from "../wire/responses.js";

/** Bytes that wait to be sent to the daemon; then tabs wait. */
const FULL_BYTES = 1024 * 1024;
/** The longest time that a local request takes which makes no copy stream, in ms. */
const ONE_ENVELOPE_MS = 5 * 60_000;
/** How the daemon is watched, in ms: it has 5 s less for an answer than by a client's default. */
const LIVENESS = { intervalMs: 30_000, timeoutMs: 10_000 };

/** A request that gets an answer. */
export type Query = Exclude<DaemonRequest, { kind: "thinClose" | "sessionToken" | "sendMessage" }>;

/** An operation of the daemon, by the key under which cancels find it. */
export interface Operation {
  readonly key: string;
  cancel(queryId: QueryId): Cancel;
}

/**
 * The operation that a request starts or cancels; null if it names none, and the daemon refuses the
 * request.
 */
export function operationOf(request: Start | Cancel): Operation | null {
  if (request.kind.endsWith("CopyCommand")) {
    const { writeCap, writeCapHash } = request as {
      readonly writeCap?: Bytes | null;
      readonly writeCapHash?: Bytes | null;
    };
    const hash = writeCap ? hash256(writeCap) : writeCapHash;
    return hash
      ? {
          key: copyKey(hash),
          cancel: (queryId) => ({
            kind: "cancelResendingCopyCommand",
            queryId,
            writeCapHash: hash,
          }),
        }
      : null;
  }
  const { envelopeHash } = request as { readonly envelopeHash: Bytes | null };
  if (envelopeHash === null) return null;
  return {
    key: envelopeKey(envelopeHash),
    cancel: (queryId) => ({
      kind: "cancelResendingEncryptedMessage",
      queryId,
      envelopeHash,
    }),
  };
}

/** A request that the daemon has. */
export interface Pending<A> {
  readonly request: Query;
  /** Who gets the answer; null if nobody does. */
  asker: A | null;
  /** Set for starts. */
  readonly operation: Operation | null;
  /** For a start its number, else how many starts and messages were sent before it. */
  readonly mark: number;
  /** Called when the answer to a request of the relay itself has come. */
  readonly onAnswer: (() => void) | null;
}

/** The connection to the daemon, and what the daemon has from it. */
export class DaemonLink<A> {
  readonly #transport: Transport;
  readonly #encoder = new FrameEncoder();
  readonly pending = new Map<string, Pending<A>>();
  /** The pending starts by the key of their operation. */
  readonly starts = new Map<string, Set<Pending<A>>>();
  /** Keys of operations that are being cancelled, with the timer for the next cancel. */
  readonly ending = new Map<string, Timer | null>();
  readonly unread = new Unread();
  readonly liveness: Liveness;
  /** The latest frames that greet a client; null until they came. */
  status: Uint8Array | null = null;
  document: Uint8Array | null = null;
  /** Whether the daemon is connected to the mixnet. */
  isOnline = false;
  askedForSession = false;
  /** Whether the handshake has finished. */
  ready = false;
  /** Whether it asked what the daemon has read. */
  probing = false;
  /** Whether `drained` is awaited. */
  draining = false;
  localInFlight = 0;
  localWorkMs = 0;

  constructor(transport: Transport, clock: Clock, onDead: (silentMs: number) => void) {
    this.#transport = transport;
    this.liveness = new Liveness({
      ...LIVENESS,
      clock,
      load: this,
      isOnline: () => this.isOnline,
      send: (request) => this.write(request),
      onDead,
    });
  }

  get operationsInFlight(): number {
    return this.starts.size;
  }

  get isFull(): boolean {
    return this.#encoder.length + this.#transport.queuedBytes >= FULL_BYTES;
  }

  drained(): Promise<void> {
    this.#flush();
    return this.#transport.drained();
  }

  /** Sends a frame; those of one event-loop turn leave in one write. */
  write(request: DaemonRequest): void {
    const isFirst = this.#encoder.length === 0;
    this.#encoder.add(requestBody(request));
    if (isFirst) queueMicrotask(() => this.#flush());
  }

  /** Sends a request that is answered. */
  ask(request: Query, asker: A | null, onAnswer: (() => void) | null = null): void {
    this.write(request);
    const start = isStart(request);
    const operation = start ? operationOf(request) : null;
    const mark = start ? this.unread.sent() : this.unread.mark;
    const pending: Pending<A> = { request, asker, operation, mark, onAnswer };
    this.pending.set(toHex(request.queryId!), pending);
    if (start) {
      if (operation === null) return;
      const same = this.starts.get(operation.key);
      if (same) same.add(pending);
      else this.starts.set(operation.key, new Set([pending]));
      return;
    }
    this.localInFlight++;
    const workMs = request.kind.startsWith("create") ? Infinity : ONE_ENVELOPE_MS;
    this.localWorkMs = Math.max(this.localWorkMs, workMs);
  }

  /**
   * Takes the request that `response` answers out; undefined if there is none.
   * @param queryId the response's.
   */
  answered(queryId: Uint8Array, response: DaemonResponse | MalformedReply): Pending<A> | undefined {
    const pending = this.pending.get(toHex(queryId));
    if (pending === undefined) return undefined;
    this.forget(pending);
    if (isStart(pending.request)) {
      if (showsThatItLeft(response)) this.unread.hasLeft(pending.mark);
    } else {
      this.unread.answered(pending.mark);
      if (--this.localInFlight === 0) this.localWorkMs = 0;
    }
    return pending;
  }

  /** Takes a request out that is not going to be answered. */
  forget(pending: Pending<A>): void {
    this.pending.delete(toHex(pending.request.queryId!));
    const { operation } = pending;
    if (operation === null) return;
    const same = this.starts.get(operation.key);
    same?.delete(pending);
    if (same?.size === 0) this.starts.delete(operation.key);
  }

  /** Whether somebody waits for the operation with that key. */
  isWanted(key: string, butNotBy: A | null = null): boolean {
    for (const { asker } of this.starts.get(key) ?? []) {
      if (asker !== null && asker !== butNotBy) return true;
    }
    return false;
  }

  /** Says goodbye: the daemon forgets the session. */
  end(): void {
    this.write({ kind: "thinClose" });
    this.#flush();
    this.stop();
    this.#transport.end();
  }

  destroy(): void {
    this.stop();
    this.#transport.destroy();
  }

  /** Stops all timers. */
  stop(): void {
    this.liveness.stop();
    for (const timer of this.ending.values()) timer?.cancel();
    this.ending.clear();
  }

  #flush(): void {
    if (this.#encoder.length > 0) this.#transport.write(this.#encoder.take());
  }
}
