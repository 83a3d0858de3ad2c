/** Calls that wait for a reply: matched by query ID, taken up again after a reconnect. */
import type { Bytes } from "../bytes/bytes.js";
import { QueryId } from "../bytes/opaque.js";
import { ProtocolError } from "../errors/errors.js";
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
  readonly resolve: (reply: DaemonResponse) => void;
  readonly reject: (reason: unknown) => void;
}

interface Entry {
  readonly call: Call;
  /** Null until the call was sent on the present connection. */
  queryKey: string | null;
  /** Whether the daemon may know of it from an earlier connection. */
  sentBefore: boolean;
}

/** A query ID as a map key; one of another length matches nothing. */
function keyOf(queryId: Bytes): string {
  let key = "";
  for (const byte of queryId) key += String.fromCharCode(byte);
  return key;
}

/** The calls of one session. */
export class Calls {
  readonly #entries = new Set<Entry>();
  readonly #byQueryId = new Map<string, Entry>();

  /** How many calls wait. */
  get size(): number {
    return this.#entries.size;
  }

  /** Whether an operation with that cancellation key waits. */
  has(cancellationKey: string): boolean {
    return this.named(cancellationKey).size > 0;
  }

  /** The operations with that cancellation key that wait. */
  named(cancellationKey: string): ReadonlySet<Call> {
    const found = new Set<Call>();
    for (const { call } of this.#entries) {
      if (call.cancellation?.key === cancellationKey) found.add(call);
    }
    return found;
  }

  /** Adds a call; sends it when `send` is given. Returns a function that forgets it. */
  add(call: Call, send: ((request: DaemonRequest) => void) | null): () => void {
    const entry: Entry = { call, queryKey: null, sentBefore: false };
    this.#entries.add(entry);
    if (send) this.#send(entry, send);
    return () => this.#remove(entry);
  }

  /** Settles the call that `response` answers. False when no call has that query ID. */
  take(response: DaemonResponse | MalformedReply): boolean {
    if (!("queryId" in response) || !response.queryId) return false;
    const entry = this.#byQueryId.get(keyOf(response.queryId));
    if (!entry) return false;
    const { call } = entry;
    if (response.kind !== "malformedReply" && response.kind !== call.replyKind) return false;
    this.#remove(entry);
    if (response.kind === "malformedReply") {
      const text = `${call.operation}: the daemon's reply cannot be used: ${response.error.message}`;
      call.reject(new ProtocolError(text, { operation: call.operation, cause: response.error }));
    } else {
      call.resolve(response);
    }
    return true;
  }

  /** The connection is gone: query IDs in flight mean nothing any more. */
  connectionLost(reasonFor: (call: Call) => Error): void {
    this.#byQueryId.clear();
    for (const entry of this.#entries) {
      if (entry.queryKey !== null) entry.sentBefore = true;
      entry.queryKey = null;
      if (!entry.call.failOnLoss) continue;
      this.#remove(entry);
      entry.call.reject(reasonFor(entry.call));
    }
  }

  /**
   * A new connection: sends every call, with new query IDs. Operations that the daemon may still
   * have are cancelled first, all of them before any is started again, so that no cancel hits a new
   * start of the same envelope.
   */
  connected(send: (request: DaemonRequest) => void): void {
    const cancelled = new Set<string>();
    for (const { call, sentBefore } of this.#entries) {
      const { cancellation } = call;
      if (!sentBefore || !cancellation || cancelled.has(cancellation.key)) continue;
      cancelled.add(cancellation.key);
      send(cancellation.request(QueryId.random()));
    }
    for (const entry of this.#entries) this.#send(entry, send);
  }

  /** Rejects all calls for which `reasonFor` gives a reason. */
  rejectAll(reasonFor: (call: Call) => unknown): void {
    for (const entry of this.#entries) {
      const reason = reasonFor(entry.call);
      if (reason === null) continue;
      this.#remove(entry);
      entry.call.reject(reason);
    }
  }

  #send(entry: Entry, send: (request: DaemonRequest) => void): void {
    const queryId = QueryId.random();
    entry.queryKey = keyOf(queryId);
    this.#byQueryId.set(entry.queryKey, entry);
    try {
      send(entry.call.request(queryId));
    } catch (error) {
      // Longer than a frame may be: only this call fails.
      this.#remove(entry);
      entry.call.reject(error);
    }
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry);
    if (entry.queryKey !== null) this.#byQueryId.delete(entry.queryKey);
  }
}
