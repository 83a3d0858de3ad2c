/** Requests and their replies: matched by query ID, taken up again after a reconnect. */
import { type Bytes, equalBytes } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import { type CallOptions, watchDeadline } from "./call-options.js";
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
import type { DaemonRequest, RequestFields, RequestKind } from "../wire/requests.js";
import type { DaemonResponse, MalformedReply, ResponseKind } from "../wire/responses.js";

/** Requests that are answered by a reply of their own with the same query ID. */
export type QueryKind = {
  [K in RequestKind]: `${K}Reply` extends ResponseKind
    ? "queryId" extends keyof RequestFields<K>
      ? K
      : never
    : never;
}[RequestKind];

/** The reply to a request of kind `K`. */
export type ReplyTo<K extends QueryKind> = DaemonResponse<Extract<`${K}Reply`, ResponseKind>>;

/** The fields of a request but for its query ID. */
export type QueryFields<K extends QueryKind> = Omit<RequestFields<K>, "queryId">;

/** How to take an operation back that the daemon carries on by itself. */
export interface Cancellation {
  /** Equal for operations that one cancel ends: kind and hash. */
  readonly key: string;
  /**
   * Whether nobody gains from the operation but who waits for its reply, as for a read. Writes and
   * copies change boxes, and go on when their client disconnects.
   */
  readonly onlyForReply: boolean;
  readonly request: (queryId: QueryId) => DaemonRequest;
}

/** A call that waits. */
export interface Call {
  readonly operation: string;
  readonly replyKind: ResponseKind;
  readonly request: (queryId: QueryId) => DaemonRequest;
  /** Set for operations; local requests have none. */
  readonly cancellation: Cancellation | null;
  /** Whether a lost connection fails the call instead of repeating it. */
  readonly failOnLoss: boolean;
  /** Called when the connection is lost on which the call was sent: it may be done already. */
  readonly onLoss: (() => void) | undefined;
  readonly resolve: (reply: DaemonResponse) => void;
  readonly reject: (reason: unknown) => void;
}

/** How a request is made. */
export interface RequestSettings {
  /** Name of the public call, for errors. */
  readonly operation: string;
  readonly options?: CallOptions | undefined;
  /** Deadline where the options name none, in milliseconds; the client's default if left out. */
  readonly defaultTimeoutMs?: number;
  /** Set for operations that the daemon carries on by itself. */
  readonly cancellation?: Cancellation;
  readonly failOnLoss?: boolean;
  /** See {@link Call.onLoss}. */
  readonly onLoss?: () => void;
}

interface Entry {
  readonly call: Call;
  /** Null until the call was sent on the present connection. */
  queryId: QueryId | null;
  /** Whether the daemon may know of it from an earlier connection. */
  sentBefore: boolean;
  /**
   * Of a local request: see {@link Unread.mark}; of a start: its number, see {@link Unread.sent}.
   */
  mark: number;
}

/**
 * Whether the answer to a start shows that its packet, and those of all before it, have left: a
 * request that the daemon refuses may never have waited for that.
 */
function showsThatItLeft(response: DaemonResponse | MalformedReply): boolean {
  const { errorCode } = response as { readonly errorCode?: number };
  return (
    errorCode !== THIN_CLIENT_ERROR_INVALID_REQUEST &&
    errorCode !== THIN_CLIENT_ERROR_INTERNAL_ERROR
  );
}

/** Whether the daemon may have the call. */
function isStarted({ queryId, sentBefore }: Entry): boolean {
  return queryId !== null || sentBefore;
}

/** How many calls of a kind wait for the daemon, and how many for a place or a connection. */
export interface CallLoad {
  /** Sent and not answered yet: up to `maxInFlight` local requests and as many operations. */
  readonly inFlight: number;
  /** Not sent on the present connection: for want of a place, or of the connection. */
  readonly queued: number;
  /**
   * Operations that were given up here and are still being ended at the daemon. Those that it has
   * not answered take places among `maxInFlight`, and each is cancelled until it is.
   */
  readonly cancelling: number;
}

/**
 * A query ID as a map key: 30 of its bits, for small integers are found fastest. Who finds an entry
 * by it compares the whole ID, and no two calls in flight have the same key.
 */
function keyOf(queryId: Bytes): number {
  return (queryId[0]! << 22) | (queryId[1]! << 14) | (queryId[2]! << 6) | (queryId[3]! >> 2);
}

/**
 * Calls of one kind, at most so many in flight. Local requests and operations have places of their
 * own: a thousand reads that wait for a writer must not keep the next index from being asked for.
 */
class Lane {
  readonly entries = new Set<Entry>();
  /** Those of {@link entries} that were not sent on the present connection, oldest first. */
  readonly queued = new Set<Entry>();

  get inFlight(): number {
    return this.entries.size - this.queued.size;
  }
}

/** What calls need of the client's options. */
export interface CallsOptions extends MeasureOptions {
  /** Most local requests, and most operations, that the daemon has at a time. */
  readonly maxInFlight: number;
  readonly defaultTimeoutMs: number;
}

/** What calls need to know of the connection. */
export interface ConnectionState {
  /** Whether the daemon said that it reaches the mixnet. */
  readonly isOnline: () => boolean;
  /** Whether the handshake is finished, and the connection not lost since. */
  readonly isReady: () => boolean;
  /** Why a call cannot be made now at all; null when it can, or will be after a reconnect. */
  readonly notUsable: (operation: string) => Error | null;
}

/** The calls of one session. */
export class Calls {
  /** What the daemon may have left unread on the present connection. */
  readonly unread = new Unread();
  readonly #options: CallsOptions;
  readonly #connection: ConnectionState;
  readonly #local = new Lane();
  readonly #operations = new Lane();
  readonly #byQueryId = new Map<number, Entry>();
  #localWorkMs = 0;
  /** What was given up and is not over at the daemon. */
  readonly notices: Notices;
  /** Sends on the present connection; null while there is none. */
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

  /** Why a call cannot be made now at all; null when it can, or will be after a reconnect. */
  notUsable(operation: string): Error | null {
    return this.#connection.notUsable(operation);
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
   * The longest that the daemon may be silent over the local requests that it was given, in
   * milliseconds. It may be at work on one that was given up here, too.
   */
  get localWorkMs(): number {
    return this.#localWorkMs;
  }

  /** How many operations the daemon was given and has not ended. */
  get operationsInFlight(): number {
    return this.#operations.inFlight;
  }

  /** What waits where. */
  get load(): CallLoad {
    return {
      inFlight: this.#local.inFlight + this.#operations.inFlight,
      queued: this.#local.queued.size + this.#operations.queued.size,
      cancelling: this.notices.size,
    };
  }

  /**
   * Sends a request and waits for its reply. While the connection is being made the request waits,
   * and ends with `start` if that fails; it is repeated after a loss.
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
      const deadline = watchDeadline(clock, operation, options, fallback, giveUpFor);
      const giveUp = this.#add(call);
      measured?.(null);
    });
  }

  /** Tells the metrics hook that a call was made (null), then how it ended; null without a hook. */
  #measure(operation: string): ((outcome: RequestOutcome | null) => void) | null {
    const ended = beginMeasure(this.#options, operation);
    if (!ended) return null;
    return (outcome) => {
      if (outcome !== null) ended(outcome);
      this.#options.metrics?.({ name: "calls", ...this.load });
    };
  }

  /**
   * Sends a request and gives its reply, or the error of the reply's code.
   * @throws what {@link request} rejects with, and the error of the reply's code.
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
   * Ends an operation. While there is no connection those who wait are told at once, and the daemon
   * as soon as there is one again; whether the daemon has a mixnet does not matter (
   * spec/thin-protocol §10, defect 7).
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
    // The cancel frees places: none of these may take one, for the daemon would start it after that.
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
    // The daemon answered the start with code 24 before it answered the cancel. It does not know a
    // start that still waited in its send schedule, and of two starts of one envelope it knows the
    // second only (spec/thin-protocol §10, defect 18): those end here. Ones that were started later
    // go on.
    this.#rejectCancelled((call) => (sent.has(call) ? cancelled(call.operation) : null));
    // What the session lost meanwhile is told on the next connection, if there will be one.
    if (!asked && this.notUsable(operation) === null) {
      this.notices.add(cancellation, null);
    }
  }

  /** The operations with that cancellation key that wait: those that were sent, and the others. */
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
   * Adds a call; sends it as soon as there is a connection and a place. The function given gives it
   * up: what the daemon does for it alone is cancelled.
   */
  #add(call: Call): () => void {
    const entry: Entry = { call, queryId: null, sentBefore: false, mark: 0 };
    const lane = this.#laneOf(entry);
    lane.entries.add(entry);
    lane.queued.add(entry);
    this.#fill(lane);
    return () => this.#giveUp(entry);
  }

  /** Settles the call that `response` answers. False when no call has that query ID. */
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

  /** The connection is gone: query IDs in flight mean nothing any more. */
  connectionLost(reasonFor: (call: Call) => Error): void {
    this.#send = null;
    this.#probe = null;
    this.unread.reset();
    this.#localWorkMs = 0;
    this.notices.connectionLost();
    this.#byQueryId.clear();
    for (const lane of [this.#local, this.#operations]) {
      // All queue again, in the order in which they were made.
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

  /** Names the operations in flight that are of no use without their replies, each once. */
  onlyForReplies(): readonly Cancellation[] {
    const found = new Map<string, Cancellation>();
    for (const { call, queryId } of this.#operations.entries) {
      const { cancellation } = call;
      if (queryId !== null && cancellation?.onlyForReply) found.set(cancellation.key, cancellation);
    }
    return [...found.values()];
  }

  /**
   * A new connection: cancels what the daemon may still have from earlier ones, and then sends
   * every call, with new query IDs, as far as there are places. All cancels before any start, so
   * that none hits a new start of the same envelope.
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

  /** Sends what is queued, now that there may be room. */
  refill(): void {
    this.#fill(this.#operations);
  }

  /** The session is over: rejects all calls, and sends nothing in the places that become free. */
  end(reasonFor: (call: Call) => unknown): void {
    this.#send = null;
    this.notices.clear();
    this.rejectAll(reasonFor);
  }

  /** Rejects all calls for which `reasonFor` gives a reason. */
  rejectAll(reasonFor: (call: Call) => unknown): void {
    for (const { entries } of [this.#local, this.#operations]) {
      for (const entry of entries) {
        const reason = reasonFor(entry.call);
        if (reason === null) continue;
        this.#remove(entry);
        entry.call.reject(reason);
        if (entry.call.cancellation) this.#unwanted(entry.call.cancellation);
      }
    }
  }

  /**
   * Rejects operations that were cancelled at the daemon just now. A start that it did not know
   * then may come behind: it is cancelled until it is answered.
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
    // Not before: what was given up keeps its place until the daemon has answered it.
    this.#fill(this.#laneOf(entry));
  }

  /**
   * Whether a call waits for the operation that the daemon may have. One that was not sent yet does
   * not count: it will be started again, behind the cancel.
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

  /** Sends what is queued while there are places. */
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
        // What is said until an older start is answered would hit this one.
        if (this.notices.isEnding(key) && !this.#isWanted(key)) continue;
        this.notices.startsAnew(key);
      }
      lane.queued.delete(entry);
      this.#sendEntry(entry, this.#send);
    }
  }

  /** Sends what a daemon answers at once when it has read all before it. */
  #askWhatWasRead(send: (request: DaemonRequest) => void): void {
    if (this.#probe || !this.#connection.isOnline() || this.unread.count === 0) return;
    const queryId = QueryId.random();
    this.#probe = { queryId, mark: this.unread.mark };
    // Without an index it costs nothing and is answered with a code, which is an answer.
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
      // Longer than a frame may be: only this call fails.
      this.#remove(entry);
      entry.call.reject(error);
    }
  }

  #remove(entry: Entry): void {
    if (this.#forget(entry)) this.#fill(this.#laneOf(entry));
  }

  /** False when it was forgotten before. */
  #forget(entry: Entry): boolean {
    const lane = this.#laneOf(entry);
    if (!lane.entries.delete(entry)) return false;
    lane.queued.delete(entry);
    if (entry.queryId !== null) this.#byQueryId.delete(keyOf(entry.queryId));
    return true;
  }
}

// How long a daemon may work on a local request before it answers. spec/thin-protocol §4.

/** What needs neither keys nor documents is answered at once; but the machine may be busy. */
const AT_ONCE_MS = 60_000;
/**
 * A daemon without a PKI document tries five times, up to 30 s each, to get one, and the key
 * exchange of one envelope takes a slow machine ten seconds and more.
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
  // Hundreds of envelopes, seconds for each.
  createCourierEnvelopesFromPayload: Infinity,
  createCourierEnvelopesFromMultiPayload: Infinity,
  createCourierEnvelopesFromTombstoneRange: Infinity,
};

/**
 * The longest that a daemon which is well may take over a local request, in milliseconds: it
 * answers those of a client one after the other. Infinity where its size decides.
 */
function longestWorkMs(kind: RequestKind): number {
  return longest[kind] ?? AT_ONCE_MS;
}

/** {@link required}, for bytes that must not be empty. @throws ProtocolError when they are null or empty. */
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

/** `value`, which a reply that reports success must have. @throws ProtocolError when it is null. */
export function required<T>(value: T | null, name: string, operation: string): T {
  if (value !== null) return value;
  throw new ProtocolError(`${operation}: the daemon reports success but sent no ${name}`, {
    operation,
  });
}
