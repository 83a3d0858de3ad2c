/** Requests and their replies: matches them by query ID and repeats them after a reconnect. */
import { type Bytes, equalBytes } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import { type CallOptions, type Hindrance, watchDeadline } from "./call-options.js";
import {
  type MeasureOptions,
  type RequestOutcome,
  beginMeasure,
  outcomeOf,
  outcomeOfReply,
  requestName,
} from "./metrics.js";
import { Notices } from "./notices.js";
import { Unread } from "./unread.js";
import {
  THIN_CLIENT_ERROR_INTERNAL_ERROR,
  THIN_CLIENT_ERROR_INVALID_REQUEST,
} from "../errors/codes.js";
import { placeTimeout } from "../errors/call-site.js";
import {
  ConnectionLostError,
  ProtocolError,
  StartResendingCancelledError,
} from "../errors/errors.js";
import { daemonErrorFromCode } from "../errors/from-reply.js";
import type { DaemonRequest, RequestKind } from "../wire/requests.js";
import type {
  DaemonResponse,
  MalformedReply,
  QueryFields,
  QueryKind,
  ReplyTo,
  ResponseKind,
} from "../wire/responses.js";

/** How to cancel an operation that the daemon continues on its own. */
export interface Cancellation {
  /** Operations with the same key (kind and hash) end with one cancel. */
  readonly key: string;
  /**
   * Whether the operation is useless once nobody waits for its reply, as a read is. Writes and
   * copies change boxes, so they continue when their client disconnects.
   */
  readonly onlyForReply: boolean;
  readonly request: (queryId: QueryId) => DaemonRequest;
}

/** A waiting call. */
export interface Call {
  readonly operation: string;
  readonly replyKind: ResponseKind;
  readonly request: (queryId: QueryId) => DaemonRequest;
  /** Set for operations; null for local requests. */
  readonly cancellation: Cancellation | null;
  /** Whether the call fails when the connection is lost. Otherwise it is repeated. */
  readonly failOnLoss: boolean;
  /**
   * Called when the connection that carried the call is lost; the daemon may have done the work
   * already.
   */
  readonly onLoss: (() => void) | undefined;
  readonly resolve: (reply: DaemonResponse) => void;
  readonly reject: (reason: unknown) => void;
}

/** Settings of a request. */
export interface RequestSettings {
  /** Name of the public call, for errors. */
  readonly operation: string;
  readonly options?: CallOptions | undefined;
  /** Deadline in milliseconds if the options do not set one; the client's default if left out. */
  readonly defaultTimeoutMs?: number;
  /** Set for operations that the daemon continues on its own. */
  readonly cancellation?: Cancellation;
  readonly failOnLoss?: boolean;
  /** See {@link Call.onLoss}. */
  readonly onLoss?: () => void;
}

interface Entry {
  readonly call: Call;
  /** Null until the call is sent on the current connection. */
  queryId: QueryId | null;
  /** Whether the daemon may know the call from an earlier connection. */
  sentBefore: boolean;
  /**
   * For a local request, see {@link Unread.mark}; for a start, its number, see {@link Unread.sent}.
   */
  mark: number;
}

/**
 * Whether this answer to a start shows that its packet, and all packets before it, have left. If
 * the daemon refuses a request, the request may never have waited for a packet.
 */
function showsThatItLeft(response: DaemonResponse | MalformedReply): boolean {
  const { errorCode } = response as { readonly errorCode?: number };
  return (
    errorCode !== THIN_CLIENT_ERROR_INVALID_REQUEST &&
    errorCode !== THIN_CLIENT_ERROR_INTERNAL_ERROR
  );
}

/** Whether the daemon may have received the call. */
function isStarted({ queryId, sentBefore }: Entry): boolean {
  return queryId !== null || sentBefore;
}

/**
 * Numbers of calls of one kind: those that wait for the daemon, and those that wait for a place or
 * a connection.
 */
export interface CallLoad {
  /** Sent and not yet answered: up to `maxInFlight` local requests and as many operations. */
  readonly inFlight: number;
  /** Not sent on the current connection, because there is no free place or no connection. */
  readonly queued: number;
  /**
   * Operations that were given up here but are still being ended at the daemon. Those that the
   * daemon has not answered count towards `maxInFlight`, and each is cancelled until it is
   * answered.
   */
  readonly cancelling: number;
}

/**
 * A query ID as a map key: 30 of its bits, because maps find small integers fastest. A lookup
 * compares the whole ID, and no two calls in flight have the same key.
 */
function keyOf(queryId: Bytes): number {
  return (queryId[0]! << 22) | (queryId[1]! << 14) | (queryId[2]! << 6) | (queryId[3]! >> 2);
}

/**
 * Calls of one kind, with a limit on how many are in flight. Local requests and operations have
 * separate limits: a thousand reads that wait for a writer must not block a request for the next
 * index.
 */
class Lane {
  readonly entries = new Set<Entry>();
  /** Those of {@link entries} that were not sent on the current connection, oldest first. */
  readonly queued = new Set<Entry>();

  get inFlight(): number {
    return this.entries.size - this.queued.size;
  }
}

/** The client options that calls need. */
export interface CallsOptions extends MeasureOptions {
  /** The most local requests, and the most operations, that the daemon has at a time. */
  readonly maxInFlight: number;
  readonly defaultTimeoutMs: number;
}

/** What calls need to know about the connection. */
export interface ConnectionState {
  /** Whether the daemon reported that it is connected to the mixnet. */
  readonly isOnline: () => boolean;
  /** Whether the handshake has finished and the connection has not been lost since. */
  readonly isReady: () => boolean;
  /** Why a call cannot be made at all; null if it can be made now or after a reconnect. */
  readonly notUsable: (operation: string) => Error | null;
  /**
   * What keeps the daemon from answering now; null if nothing is known.
   * @param needsMixnet whether the call needs the mixnet.
   */
  readonly hindrance: (needsMixnet: boolean) => Hindrance | null;
}

/** The calls of one session. */
export class Calls {
  /** What the daemon may have left unread on the current connection. */
  readonly unread = new Unread();
  readonly #options: CallsOptions;
  readonly #connection: ConnectionState;
  readonly #local = new Lane();
  readonly #operations = new Lane();
  readonly #byQueryId = new Map<number, Entry>();
  #localWorkMs = 0;
  /** Operations that were given up here and have not ended at the daemon. */
  readonly notices: Notices;
  /** Sends on the current connection; null without one. */
  #send: ((request: DaemonRequest) => void) | null = null;
  /**
   * A request whose answer shows what the daemon has read, and {@link Unread.mark} when it was
   * sent.
   */
  #probe: { readonly queryId: QueryId; readonly mark: number } | null = null;

  constructor(options: CallsOptions, connection: ConnectionState) {
    this.#options = options;
    this.#connection = connection;
    this.notices = new Notices({
      clock: options.clock,
      isWanted: (key) => this.#isWanted(key),
      onEnded: () => this.refill(),
      onLeft: (number) => this.unread.hasLeft(number),
      hasLeft: (number) => this.unread.leftCount >= number,
    });
  }

  /** Why a call cannot be made at all; null if it can be made now or after a reconnect. */
  notUsable(operation: string): Error | null {
    return this.#connection.notUsable(operation);
  }

  /**
   * What keeps a call from its answer now, for the error at its deadline; null if nothing is known.
   * @param isOperation whether it is one of the operations, which need the mixnet.
   * @param own what the call itself knows; used if there is a connection.
   */
  hindrance(isOperation: boolean, own: Hindrance | null = null): Hindrance | null {
    const known = this.#connection.hindrance(isOperation) ?? own;
    if (known !== null) return known;
    const { inFlight, queued } = isOperation ? this.#operations : this.#local;
    if (queued.size === 0) return null;
    const { maxInFlight } = this.#options;
    return {
      text:
        `${inFlight} calls wait for the daemon's answer and ${queued.size} for a place ` +
        `(maxInFlight is ${maxInFlight})`,
    };
  }

  /** How many calls wait. */
  get size(): number {
    return this.#local.entries.size + this.#operations.entries.size;
  }

  /** How many local requests the daemon has not answered yet. */
  get localInFlight(): number {
    return this.#local.inFlight;
  }

  /**
   * The longest time in milliseconds that the daemon may stay silent while it works on the local
   * requests it has, including ones that were given up here.
   */
  get localWorkMs(): number {
    return this.#localWorkMs;
  }

  /** How many operations the daemon has and has not ended. */
  get operationsInFlight(): number {
    return this.#operations.inFlight;
  }

  /** How many calls wait, and for what. */
  get load(): CallLoad {
    return {
      inFlight: this.#local.inFlight + this.#operations.inFlight,
      queued: this.#local.queued.size + this.#operations.queued.size,
      cancelling: this.notices.size,
    };
  }

  /**
   * Sends a request and waits for its reply. The request waits while the connection is being made,
   * and fails with `start` if `start` fails. It is repeated after a lost connection.
   */
  async request<K extends QueryKind>(
    kind: K,
    fields: QueryFields<K>,
    settings: RequestSettings,
  ): Promise<ReplyTo<K>> {
    try {
      return await this.#request(kind, fields, settings);
    } catch (error) {
      placeTimeout(error, this.request);
      throw error;
    }
  }

  #request<K extends QueryKind>(
    kind: K,
    fields: QueryFields<K>,
    settings: RequestSettings,
  ): Promise<ReplyTo<K>> {
    const { operation, options, cancellation = null } = settings;
    const notUsable = this.notUsable(operation);
    if (notUsable) return Promise.reject(notUsable);
    if (options?.signal?.aborted) return Promise.reject(options.signal.reason);
    return new Promise((resolve, reject) => {
      const measured = this.#measure(requestName(kind, operation));
      const call = {
        operation,
        replyKind: `${kind}Reply` as DaemonResponse["kind"],
        request: (queryId: QueryId) => ({ kind, queryId, ...fields }) as unknown as DaemonRequest,
        cancellation,
        failOnLoss: settings.failOnLoss ?? false,
        onLoss: settings.onLoss,
        resolve: (reply: DaemonResponse) => {
          deadline.dispose();
          resolve(reply as ReplyTo<K>);
          measured?.(outcomeOfReply(reply));
        },
        reject: (reason: unknown) => {
          deadline.dispose();
          reject(reason);
          measured?.(outcomeOf(reason, options?.signal));
        },
      };
      const { clock, defaultTimeoutMs } = this.#options;
      const fallback = settings.defaultTimeoutMs ?? defaultTimeoutMs;
      const giveUpFor = (reason: unknown): void => {
        giveUp();
        call.reject(reason);
      };
      const isOperation = cancellation !== null;
      const hindrance = (): Hindrance | null => this.hindrance(isOperation);
      const deadline = watchDeadline(clock, operation, options, fallback, giveUpFor, hindrance);
      const giveUp = this.#add(call);
      measured?.(null);
    });
  }

  /**
   * Returns a function that reports to the metrics hook: call it with null when the call is made,
   * then with how the call ended. Null without a hook.
   */
  #measure(operation: string): ((outcome: RequestOutcome | null) => void) | null {
    const ended = beginMeasure(this.#options, operation);
    if (!ended) return null;
    return (outcome) => {
      if (outcome !== null) ended(outcome);
      this.#options.metrics?.({ name: "calls", ...this.load });
    };
  }

  /**
   * Sends a request and returns its reply.
   * @throws what {@link request} rejects with, or the error for the reply's code.
   */
  async ask<K extends QueryKind>(
    kind: K,
    fields: QueryFields<K>,
    settings: RequestSettings,
  ): Promise<ReplyTo<K>> {
    let reply: ReplyTo<K>;
    try {
      reply = await this.#request(kind, fields, settings);
    } catch (error) {
      placeTimeout(error, this.ask);
      throw error;
    }
    const { errorCode } = reply as { readonly errorCode: number };
    const error = daemonErrorFromCode(errorCode, { operation: settings.operation });
    if (error) throw error;
    return reply;
  }

  /**
   * Ends an operation. Without a connection, callers who wait for the operation are rejected at
   * once and the daemon is told after the next reconnect. It does not matter whether the daemon has
   * a mixnet connection (spec/thin-protocol §10, defect 7).
   * @param askDaemon sends the cancel and waits for its reply.
   */
  async cancel(
    cancellation: Cancellation,
    operation: string,
    askDaemon: () => Promise<unknown>,
  ): Promise<void> {
    const notUsable = this.notUsable(operation);
    if (notUsable) throw notUsable;
    const { sent, unsent } = this.#named(cancellation.key);
    const cancelled = (started: string): Error =>
      new StartResendingCancelledError(undefined, { operation: started });
    // Cancelling frees places. Unsent starts of this operation must not take one, because the
    // daemon would run them after the cancel.
    this.rejectAll((call) => (unsent.has(call) ? cancelled(call.operation) : null));
    let asked = this.#connection.isReady();
    if (asked) {
      try {
        await askDaemon();
      } catch (error) {
        if (!(error instanceof ConnectionLostError)) throw error;
        asked = false;
      }
    }
    // The daemon answers the start with code 24 before it answers the cancel. But it does not know
    // a start that still waits in its send schedule, and of two starts of one envelope it knows
    // only the second (spec/thin-protocol §10, defect 18). Those starts end here. Starts that were
    // sent later continue.
    this.#rejectCancelled((call) => (sent.has(call) ? cancelled(call.operation) : null));
    // A cancel that was not sent goes out on the next connection, if there will be one.
    if (!asked && this.notUsable(operation) === null) {
      this.notices.add(cancellation, null);
    }
  }

  /** The waiting operations with that cancellation key: those that were sent, and the others. */
  #named(cancellationKey: string): {
    readonly sent: ReadonlySet<Call>;
    readonly unsent: ReadonlySet<Call>;
  } {
    const sent = new Set<Call>();
    const unsent = new Set<Call>();
    for (const { call, queryId } of this.#operations.entries) {
      if (call.cancellation?.key !== cancellationKey) continue;
      (queryId === null ? unsent : sent).add(call);
    }
    return { sent, unsent };
  }

  /**
   * Adds a call and sends it as soon as there are a connection and a place. The returned function
   * gives the call up and cancels what the daemon does for it alone.
   */
  #add(call: Call): () => void {
    const entry: Entry = { call, queryId: null, sentBefore: false, mark: 0 };
    const lane = this.#laneOf(entry);
    lane.entries.add(entry);
    lane.queued.add(entry);
    this.#fill(lane);
    return () => this.#giveUp(entry);
  }

  /** Settles the call that `response` answers. Returns false if no call has that query ID. */
  take(response: DaemonResponse | MalformedReply): boolean {
    return this.#takeReply(response) || this.notices.take(response);
  }

  #takeReply(response: DaemonResponse | MalformedReply): boolean {
    if (response.kind === "messageSentEvent" && response.surbId) {
      this.unread.messageLeft(response.surbId);
      this.refill();
      return false;
    }
    if (!("queryId" in response) || !response.queryId) return false;
    if (this.#probe && equalBytes(this.#probe.queryId, response.queryId)) {
      this.unread.answered(this.#probe.mark);
      this.#probe = null;
      this.refill();
      return true;
    }
    const entry = this.#byQueryId.get(keyOf(response.queryId));
    if (!entry?.queryId || !equalBytes(entry.queryId, response.queryId)) return false;
    const { call } = entry;
    if (response.kind !== "malformedReply" && response.kind !== call.replyKind) return false;
    if (!call.cancellation) {
      this.unread.answered(entry.mark);
    } else if (showsThatItLeft(response)) {
      this.unread.hasLeft(entry.mark);
    }
    this.#remove(entry);
    if (!call.cancellation && this.localInFlight === 0) this.#localWorkMs = 0;
    this.#fill(this.#operations);
    if (response.kind === "malformedReply") {
      const text = `${call.operation}: the daemon's reply cannot be used: ${response.error.message}`;
      call.reject(new ProtocolError(text, { operation: call.operation, cause: response.error }));
    } else {
      call.resolve(response);
    }
    if (call.cancellation) this.#unwanted(call.cancellation);
    return true;
  }

  /** The connection was lost: the query IDs in flight are invalid. */
  connectionLost(reasonFor: (call: Call) => Error): void {
    this.#send = null;
    this.#probe = null;
    this.unread.reset();
    this.#localWorkMs = 0;
    this.notices.connectionLost();
    this.#byQueryId.clear();
    for (const lane of [this.#local, this.#operations]) {
      // All calls queue again, in the order in which they were made.
      lane.queued.clear();
      for (const entry of lane.entries) {
        if (entry.queryId !== null) {
          entry.sentBefore = true;
          entry.call.onLoss?.();
        }
        entry.queryId = null;
        lane.queued.add(entry);
      }
      for (const entry of lane.entries) {
        if (!entry.call.failOnLoss) continue;
        this.#remove(entry);
        entry.call.reject(reasonFor(entry.call));
      }
    }
  }

  /** The operations in flight that are useless without their replies, each once. */
  onlyForReplies(): readonly Cancellation[] {
    const found = new Map<string, Cancellation>();
    for (const { call, queryId } of this.#operations.entries) {
      const { cancellation } = call;
      if (queryId !== null && cancellation?.onlyForReply) found.set(cancellation.key, cancellation);
    }
    return [...found.values()];
  }

  /**
   * Starts to use a new connection. It cancels what the daemon may still have from earlier
   * connections, then sends every call that has a place, with new query IDs. All cancels go before
   * any start, so that none of them hits a new start of the same envelope.
   * @param resumed whether the daemon still has what belongs to the session.
   */
  connected(send: (request: DaemonRequest) => void, resumed: boolean): void {
    for (const entry of this.#operations.entries) {
      const { cancellation } = entry.call;
      if (entry.sentBefore && cancellation) this.notices.addForRestart(cancellation);
      entry.sentBefore = false;
    }
    this.notices.connected(send, resumed);
    this.#send = send;
    this.#fill(this.#operations);
    this.#fill(this.#local);
  }

  /** Sends queued calls after places may have become free. */
  refill(): void {
    this.#fill(this.#operations);
  }

  /** Ends the session: rejects all calls and sends nothing in the places that become free. */
  end(reasonFor: (call: Call) => unknown): void {
    this.#send = null;
    this.notices.clear();
    this.rejectAll(reasonFor);
  }

  /**
   * Rejects all calls for which `reasonFor` returns a reason. None of them may be at the daemon while
   * the session goes on, because nothing is cancelled there.
   */
  rejectAll(reasonFor: (call: Call) => unknown): void {
    for (const { entries } of [this.#local, this.#operations]) {
      for (const entry of entries) {
        const reason = reasonFor(entry.call);
        if (reason === null) continue;
        this.#remove(entry);
        entry.call.reject(reason);
      }
    }
  }

  /**
   * Rejects operations that were just cancelled at the daemon. The daemon may not have known a
   * start that was still on its way, so the start is cancelled until it is answered.
   */
  #rejectCancelled(reasonFor: (call: Call) => unknown): void {
    for (const entry of this.#operations.entries) {
      const reason = reasonFor(entry.call);
      if (reason === null) continue;
      this.#giveUp(entry, true);
      entry.call.reject(reason);
    }
  }

  #giveUp(entry: Entry, confirmed = false): void {
    const { queryId, mark: number } = entry;
    const { cancellation } = entry.call;
    const started = isStarted(entry);
    if (!this.#forget(entry)) return;
    if (started && cancellation) {
      const onThisConnection = queryId !== null && this.#send !== null;
      this.notices.add(cancellation, onThisConnection ? { queryId, number } : null, confirmed);
      this.#unwanted(cancellation);
    }
    // Fill only after this: an operation that was given up keeps its place until the daemon has
    // answered it.
    this.#fill(this.#laneOf(entry));
  }

  /**
   * Whether a call waits for an operation that the daemon may have. A call that was not sent yet
   * does not count, because its start follows the cancel.
   */
  #isWanted(key: string): boolean {
    for (const entry of this.#operations.entries) {
      if (isStarted(entry) && entry.call.cancellation?.key === key) return true;
    }
    return false;
  }

  #unwanted({ key }: Cancellation): void {
    this.notices.unwanted(key);
  }

  #laneOf(entry: Entry): Lane {
    return entry.call.cancellation ? this.#operations : this.#local;
  }

  /** Sends queued calls while there are places. */
  #fill(lane: Lane): void {
    if (lane.queued.size === 0) return;
    const isStarts = lane === this.#operations;
    const ending = isStarts ? this.notices.starts : 0;
    for (const entry of lane.queued) {
      if (!this.#send || lane.inFlight + ending >= this.#options.maxInFlight) return;
      if (isStarts && !this.unread.mayStart(this.#connection.isOnline())) {
        this.#askWhatWasRead(this.#send);
        return;
      }
      const key = entry.call.cancellation?.key;
      if (key !== undefined) {
        // The cancels that repeat until an older start is answered would hit this start.
        if (this.notices.isEnding(key) && !this.#isWanted(key)) continue;
        this.notices.startsAnew(key);
      }
      lane.queued.delete(entry);
      this.#sendEntry(entry, this.#send);
    }
  }

  /** Sends a request that the daemon answers at once when it has read everything before it. */
  #askWhatWasRead(send: (request: DaemonRequest) => void): void {
    if (this.#probe || !this.#connection.isOnline() || this.unread.count === 0) return;
    const queryId = QueryId.random();
    this.#probe = { queryId, mark: this.unread.mark };
    // Without an index this request costs nothing; the daemon answers it with an error code.
    send({ kind: "nextMessageBoxIndex", queryId, messageBoxIndex: null });
  }

  #sendEntry(entry: Entry, send: (request: DaemonRequest) => void): void {
    let queryId = QueryId.random();
    while (this.#byQueryId.has(keyOf(queryId))) queryId = QueryId.random();
    entry.queryId = queryId;
    this.#byQueryId.set(keyOf(queryId), entry);
    try {
      const request = entry.call.request(queryId);
      send(request);
      if (entry.call.cancellation) {
        entry.mark = this.unread.sent();
      } else {
        entry.mark = this.unread.mark;
        this.#localWorkMs = Math.max(this.#localWorkMs, longestWorkMs(request.kind));
      }
    } catch (error) {
      // The request is longer than a frame may be: only this call fails.
      this.#remove(entry);
      entry.call.reject(error);
    }
  }

  #remove(entry: Entry): void {
    if (this.#forget(entry)) this.#fill(this.#laneOf(entry));
  }

  /** Returns false if the entry was forgotten before. */
  #forget(entry: Entry): boolean {
    const lane = this.#laneOf(entry);
    if (!lane.entries.delete(entry)) return false;
    lane.queued.delete(entry);
    if (entry.queryId !== null) this.#byQueryId.delete(keyOf(entry.queryId));
    return true;
  }
}

// How long a daemon may work on a local request before it answers (spec/thin-protocol §4).

/**
 * Requests that need neither keys nor documents are answered at once, but the machine may be busy.
 */
const AT_ONCE_MS = 60_000;
/**
 * A daemon without a PKI document tries five times, up to 30 s each, to get one. The key exchange
 * of one envelope takes a slow machine ten seconds or more.
 */
const ONE_ENVELOPE_MS = 5 * 60_000;

const longest: { readonly [K in RequestKind]?: number } = {
  encryptRead: ONE_ENVELOPE_MS,
  encryptWrite: ONE_ENVELOPE_MS,
  getPkiDocument: ONE_ENVELOPE_MS,
  voucherMint: ONE_ENVELOPE_MS,
  voucherInduct: ONE_ENVELOPE_MS,
  voucherOpen: ONE_ENVELOPE_MS,
  voucherDeriveStream: ONE_ENVELOPE_MS,
  // Makes hundreds of envelopes, with seconds for each.
  createCourierEnvelopesFromPayload: Infinity,
  createCourierEnvelopesFromMultiPayload: Infinity,
  createCourierEnvelopesFromTombstoneRange: Infinity,
};

/**
 * The longest time in milliseconds that a healthy daemon may take over a local request. It answers
 * the requests of a client one after the other. Infinity if the request's size decides.
 */
function longestWorkMs(kind: RequestKind): number {
  return longest[kind] ?? AT_ONCE_MS;
}

/**
 * Like {@link required}, for bytes that must not be empty. @throws ProtocolError when they are null
 * or empty.
 */
export function requiredBytes<T extends Uint8Array>(
  value: T | null,
  name: string,
  operation: string,
): T {
  if (required(value, name, operation).length > 0) return value!;
  throw new ProtocolError(`${operation}: the daemon reports success but sent an empty ${name}`, {
    operation,
  });
}

/**
 * Returns `value`, a field that a successful reply must have. @throws ProtocolError when it is
 * null.
 */
export function required<T>(value: T | null, name: string, operation: string): T {
  if (value !== null) return value;
  throw new ProtocolError(`${operation}: the daemon reports success but sent no ${name}`, {
    operation,
  });
}
