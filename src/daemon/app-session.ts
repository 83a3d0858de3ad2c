/** What a daemon keeps for one application: spec/thin-protocol §3.3. */
import { type Bytes, toHex } from "../bytes/bytes.js";
import type { Timer } from "../clock/clock.js";
import { type TraceHook, shortId } from "../mixnet/trace.js";
import type { DaemonResponse } from "../wire/responses.js";
import type { ClientConnection } from "./client-connection.js";
import type { SendQueue } from "./send-schedule.js";
import type { DaemonTrace } from "./trace.js";

/** Most replies that are kept for an application that is away. */
const MAX_QUEUED_REPLIES = 1000;

/** Where a session tells of its answers. */
export interface SessionTrace {
  readonly now: () => number;
  readonly hook: TraceHook<DaemonTrace>;
}

function traceAnswer(
  { now, hook }: SessionTrace,
  { appId }: AppSession,
  response: DaemonResponse,
): void {
  // That a message has left is told when it leaves.
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

/** One application's session; outlives its connections when it has a token. */
export class AppSession {
  /** Names the session in the token's reply. */
  readonly appId: Bytes;
  readonly queue: SendQueue;
  /** Hex of the session token; null for a client that sent none. */
  token: string | null = null;
  connection: ClientConnection | null;
  /** What it has sealed aside from its other requests. */
  readonly sealings = new Set<Promise<void>>();
  /** Runs while the application is away. */
  graceTimer: Timer | null = null;
  readonly #keepsAll: boolean;
  readonly #trace: SessionTrace | null;
  #kept: DaemonResponse[] = [];
  #ended = false;

  /**
   * @param keepsAll whether more than plain replies is kept; see {@link Kindness.kindSessions}.
   * @param trace hears of the answers; null: nobody does.
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

  /** Whether the session is over: nothing may be started for it any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Sends a reply. While the application is away the first {@link MAX_QUEUED_REPLIES} replies to
   * plain messages are kept for it, and nothing else (spec/thin-protocol §3.3); a kind session
   * keeps the results of operations too, all of them.
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

  /** Takes over the replies that were kept. */
  takeKept(): DaemonResponse[] {
    const kept = this.#kept;
    this.#kept = [];
    return kept;
  }

  /** Ends the session; what was kept for it is gone. */
  end(): void {
    this.#ended = true;
    this.#kept = [];
    this.graceTimer?.cancel();
    this.graceTimer = null;
    this.connection = null;
  }
}

/** The sessions of a daemon by their token. */
export class SessionTable {
  readonly #all = new Set<AppSession>();
  readonly #byToken = new Map<string, AppSession>();
  /** In the order in which their applications left, so the longest absent come first. */
  readonly #absent = new Set<AppSession>();

  /** Every session, those of absent applications too. */
  get all(): ReadonlySet<AppSession> {
    return this.#all;
  }

  /** Those of absent applications, the longest absent first. */
  get absent(): ReadonlySet<AppSession> {
    return this.#absent;
  }

  add(session: AppSession): void {
    this.#all.add(session);
  }

  /** Notes that the session's application has left. */
  left(session: AppSession): void {
    this.#absent.add(session);
  }

  /** Notes that the session's application is back. */
  returned(session: AppSession): void {
    this.#absent.delete(session);
  }

  /** The session that the token names. */
  find(token: Uint8Array): AppSession | undefined {
    return this.#byToken.get(toHex(token));
  }

  /** Gives a session its name. */
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
