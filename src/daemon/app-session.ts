/** The state that a daemon keeps for one application (spec/thin-protocol §3.3). */
import { type Bytes, toHex } from "../bytes/bytes.js";
import type { Timer } from "../clock/clock.js";
import { type TraceHook, shortId } from "../mixnet/trace.js";
import type { DaemonResponse } from "../wire/responses.js";
import type { ClientConnection } from "./client-connection.js";
import type { SendQueue } from "./send-schedule.js";
import type { DaemonTrace } from "./trace.js";

/** The most replies that are kept for an application that is away. */
const MAX_QUEUED_REPLIES = 1000;

/** Receives a trace of the session's answers. */
export interface SessionTrace {
  readonly now: () => number;
  readonly hook: TraceHook<DaemonTrace>;
}

function traceAnswer(
  { now, hook }: SessionTrace,
  { appId }: AppSession,
  response: DaemonResponse,
): void {
  // `sent` events are traced separately, when the message leaves.
  if (!("errorCode" in response)) return;
  const id = "queryId" in response ? response.queryId : (response.messageId ?? response.surbId);
  const envelope = "envelopeHash" in response ? response.envelopeHash : null;
  hook({
    source: "daemon",
    event: "answered",
    at: now(),
    session: shortId(appId),
    request: id === null ? null : shortId(id),
    code: response.errorCode,
    envelope: envelope === null ? null : shortId(envelope),
  });
}

/** One application's session; it outlives its connections if it has a token. */
export class AppSession {
  /** The session's name in the reply to the token. */
  readonly appId: Bytes;
  readonly queue: SendQueue;
  /** The session token in hex; null for a client that did not send one. */
  token: string | null = null;
  connection: ClientConnection | null;
  /** Sealings in progress while its other requests are served. */
  readonly sealings = new Set<Promise<void>>();
  /** Runs while the application is away. */
  graceTimer: Timer | null = null;
  readonly #keepsAll: boolean;
  readonly #trace: SessionTrace | null;
  #kept: DaemonResponse[] = [];
  #ended = false;

  /**
   * @param keepsAll whether to keep more than plain replies; see {@link Kindness.kindSessions}.
   * @param trace receives the answers; null for no trace.
   */
  constructor(
    appId: Bytes,
    queue: SendQueue,
    connection: ClientConnection,
    keepsAll: boolean,
    trace: SessionTrace | null = null,
  ) {
    this.#trace = trace;
    this.appId = appId;
    this.queue = queue;
    this.connection = connection;
    this.#keepsAll = keepsAll;
  }

  /** Whether the session is over: then nothing may be started for it. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Sends a reply. While the application is away, only the first {@link MAX_QUEUED_REPLIES} replies
   * to plain messages are kept for it (spec/thin-protocol §3.3); a kind session also keeps all
   * other answers.
   */
  deliver(response: DaemonResponse): void {
    if (this.#ended) return;
    if (this.#trace !== null) traceAnswer(this.#trace, this, response);
    if (this.connection) {
      this.connection.send(response);
      return;
    }
    const isPlain = response.kind === "messageReplyEvent";
    if (isPlain ? this.#kept.length < MAX_QUEUED_REPLIES : this.#keepsAll)
      this.#kept.push(response);
  }

  /** Returns the kept replies and removes them. */
  takeKept(): DaemonResponse[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  /** Ends the session; its kept replies are dropped. */
  end(): void {
    this.#ended = true;
    this.#kept = [];
    this.graceTimer?.cancel();
    this.graceTimer = null;
    this.connection = null;
  }
}

/** A daemon's sessions by token. */
export class SessionTable {
  readonly #all = new Set<AppSession>();
  readonly #byToken = new Map<string, AppSession>();
  /** In the order in which their applications left, longest absent first. */
  readonly #absent = new Set<AppSession>();

  /** All sessions, including those of absent applications. */
  get all(): ReadonlySet<AppSession> {
    return this.#all;
  }

  /** Sessions of absent applications, longest absent first. */
  get absent(): ReadonlySet<AppSession> {
    return this.#absent;
  }

  add(session: AppSession): void {
    this.#all.add(session);
  }

  /** Records that the session's application has left. */
  left(session: AppSession): void {
    this.#absent.add(session);
  }

  /** Records that the session's application is back. */
  returned(session: AppSession): void {
    this.#absent.delete(session);
  }

  /** The session with that token. */
  find(token: Uint8Array): AppSession | undefined {
    return this.#byToken.get(toHex(token));
  }

  /** Sets the token of a session. */
  name(session: AppSession, token: Uint8Array): void {
    session.token = toHex(token);
    this.#byToken.set(session.token, session);
  }

  remove(session: AppSession): void {
    this.#all.delete(session);
    this.#absent.delete(session);
    if (session.token !== null && this.#byToken.get(session.token) === session) {
      this.#byToken.delete(session.token);
    }
  }
}
