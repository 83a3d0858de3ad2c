/**
 * One connection to a daemon for all tabs of an origin. It runs in a shared worker and relays
 * frames: to each tab it behaves as a daemon does, and to the daemon as one client.
 *
 * docs/architecture.md says how tabs are kept from holding each other up.
 */
import { type Bytes, describeType, equalBytes, randomBytes, toHex } from "../bytes/bytes.js";
import { decodedSize } from "../bytes/decoded-size.js";
import { QueryId } from "../bytes/opaque.js";
import { checkOptions } from "../bytes/options.js";
import type { Clock, Timer } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import {
  THIN_CLIENT_ERROR_INTERNAL_ERROR as INTERNAL_ERROR,
  THIN_CLIENT_ERROR_START_RESENDING_CANCELLED as CANCELLED,
} from "../errors/codes.js";
import { ConnectionLostError, ProtocolError } from "../errors/errors.js";
import { LINGER_MS } from "../transport/limits.js";
import type { Listener, Transport } from "../transport/transport.js";
import { FrameDecoder, encodeFrame } from "../wire/framing.js";
import { type Cancel, type Start, failedStart, isCancel, isStart } from "../wire/operations.js";
import { type DaemonRequest, decodeRequest } from "../wire/requests.js";
import {
  type DaemonResponse,
  type MalformedReply,
  decodeResponse,
  encodeResponse,
} from "../wire/responses.js";
import { type DaemonDialler, checkDialler } from "./dial-shared.js";
import { DaemonLink, type Operation, type Query, operationOf } from "./daemon-link.js";

/** The most tabs at a time, and the most sessions of tabs that are away. */
const MOST_TABS = 128;
const MOST_ABSENT = 64;
/** How long a tab's session is kept while the tab is away, in ms: as long as a daemon keeps one. */
const SESSION_GRACE_MS = 600_000;
/** Most replies that are kept for a tab that is away, and their bytes for all such tabs. */
const MOST_KEPT = 1000;
const MOST_KEPT_BYTES = 16 * 1024 * 1024;
/** Most messages of a tab whose reply may come; beyond that the oldest are forgotten. */
const MOST_REPLIES = 10_000;
/** Most starts of a tab that are not answered; more are refused, as a daemon does. */
const MOST_STARTS = 1024;
/** Most local requests of a tab that the daemon has at a time, so that it serves all tabs. */
const LOCAL_AT_ONCE = 16;
/** How many waiting requests of a tab, and how many of their bytes, stop us from reading more. */
const PAUSE_ABOVE = 256;
const PAUSE_ABOVE_BYTES = 16 * 1024 * 1024;
/** Unread bytes that stop a tab's requests from being served, and those that disconnect it. */
const STUCK_BYTES = 4 * 1024 * 1024;
const MOST_UNREAD_BYTES = 64 * 1024 * 1024;
/** After this time without reading any of what waits for it, a tab is dropped, in ms. */
const READ_DEADLINE_MS = 60_000;
const LOOK_MS = 10_000;
/** How long the daemon may take to greet us, in ms: it may wait 30 s for a document. */
const HANDSHAKE_MS = 40_000;
/** Shortest and longest pause before a cancel is repeated, and how long that goes on, in ms. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
const LONGEST_CANCEL_MS = 15 * 60_000;

/** Options of {@link shareConnection}. */
export interface ShareOptions {
  /** The clock for all waits; the platform's by default, a virtual one in tests. */
  readonly clock?: Clock | undefined;
}

/** A connection that tabs share. */
export interface SharedConnection {
  /** What it holds, for tests and diagnostics. */
  readonly load: {
    /** Connected tabs. */
    readonly tabs: number;
    /** Sessions, including those of tabs that are away. */
    readonly sessions: number;
    /** Requests that the daemon has not answered. */
    readonly unanswered: number;
    /** Requests that wait here for their turn. */
    readonly waiting: number;
    /** Messages whose reply may still come. */
    readonly awaitedReplies: number;
  };
  /** Closes the listener and all connections, and ends the session at the daemon. Idempotent. */
  close(): Promise<void>;
}

/**
 * Shares one connection to a daemon among all that connect to `listener`. Call it in a shared
 * worker, with `listenForPorts(self)`. It connects when a tab needs it. When the connection is
 * lost, every tab's connection ends; when the tabs' clients reconnect, it connects again.
 * @param daemon where the daemon is: a `DialConfig`.
 * @throws TypeError when an argument is wrong.
 */
export function shareConnection(
  listener: Listener,
  daemon: DaemonDialler,
  options: ShareOptions = {},
): SharedConnection {
  checkOptions("options", options, ["clock"]);
  if (typeof listener?.open !== "function") {
    throw new TypeError(`\`listener\` must be a listener, got ${describeType(listener)}`);
  }
  checkDialler(daemon);
  return new Relay(listener, daemon, options.clock ?? realClock);
}

/** What a tab asks of the daemon. */
type TabRequest = Query | DaemonRequest<"sendMessage">;

/** A request that waits for its turn. */
interface Waiting {
  readonly request: TabRequest;
  readonly size: number;
}

/** A tab's session: it outlives the tab's connection if it has a token. */
interface Session {
  readonly key: string;
  readonly hasToken: boolean;
  readonly appId: Bytes;
  tab: Tab | null;
  /** SURB IDs and message IDs of messages whose reply may come, oldest first. */
  readonly messages: Set<string>;
  /** Replies that came while the tab was away. */
  kept: Uint8Array[];
  /** Runs while the tab is away. */
  grace: Timer | null;
}

/** A tab's connection. */
class Tab {
  readonly transport: Transport;
  readonly decoder = new FrameDecoder();
  session: Session | null = null;
  /** What came before the daemon greeted us. */
  readonly early: DaemonRequest[] = [];
  earlyBytes = 0;
  /** Local requests and cancels that wait for their turn. */
  readonly local: Waiting[] = [];
  /** Starts and messages that wait for their turn. */
  sends: Waiting[] = [];
  waitingBytes = 0;
  /** Messages among the sends. */
  messages = 0;
  /** Local requests that the daemon has. */
  localInFlight = 0;
  /** Starts that are not answered, waiting or at the daemon. */
  starts = 0;
  paused = false;
  /** Whether a `drained` of the transport is awaited. */
  draining = false;
  closed = false;
  readonly #clock: Clock;
  readonly #onSlow: (tab: Tab) => void;
  #written = 0;
  #look: Timer | null = null;

  constructor(transport: Transport, clock: Clock, onSlow: (tab: Tab) => void) {
    this.transport = transport;
    this.#clock = clock;
    this.#onSlow = onSlow;
  }

  /** Sends a frame. A tab that does not read does not hold up the others: it is dropped. */
  send(body: Uint8Array): void {
    if (this.closed) return;
    const frame = encodeFrame(body);
    this.#written += frame.length;
    this.transport.write(frame);
    const { queuedBytes } = this.transport;
    if (queuedBytes > MOST_UNREAD_BYTES) this.#onSlow(this);
    else if (queuedBytes > 0 && this.#look === null) this.#watch(0, this.#clock.monotonic());
  }

  /** Sends what is queued, then closes; without waiting long for a tab that does not read. */
  end(): void {
    this.#close();
    this.transport.end();
    const { transport } = this;
    this.#clock.after(LINGER_MS, () => transport.destroy(), { background: true });
  }

  /** Closes at once. `why` is told to the tab. */
  destroy(why?: string): void {
    this.#close();
    this.transport.destroy(why);
  }

  /** Ends all sending to the tab. */
  #close(): void {
    this.closed = true;
    this.#look?.cancel();
    this.#look = null;
  }

  /** Notices when nothing is read for too long: a page may be frozen, or gone without a sign. */
  #watch(readBefore: number, since: number): void {
    this.#look = this.#clock.after(
      LOOK_MS,
      () => {
        this.#look = null;
        const { queuedBytes } = this.transport;
        if (this.closed || queuedBytes === 0) return;
        const read = this.#written - queuedBytes;
        const now = this.#clock.monotonic();
        if (read > readBefore) this.#watch(read, now);
        else if (now - since >= READ_DEADLINE_MS) this.#onSlow(this);
        else this.#watch(readBefore, since);
      },
      { background: true },
    );
  }
}

class Relay implements SharedConnection {
  readonly #listener: Listener;
  readonly #dialler: DaemonDialler;
  readonly #clock: Clock;
  /** Names our session at the daemon. */
  readonly #token = randomBytes(16);
  #appId: Bytes | null = null;
  /** In the order of their turns. */
  readonly #tabs = new Set<Tab>();
  readonly #sessions = new Map<string, Session>();
  /** Who gets the events of a message, by SURB ID and message ID. */
  readonly #messages = new Map<string, Session>();
  #keptBytes = 0;
  #link: DaemonLink<Tab> | null = null;
  #dialling: AbortController | null = null;
  /** Operations that the daemon had when a connection was lost, by key, until it cancels them. */
  readonly #former = new Map<string, Operation>();
  #closing: Promise<void> | null = null;

  constructor(listener: Listener, dialler: DaemonDialler, clock: Clock) {
    this.#listener = listener;
    this.#dialler = dialler;
    this.#clock = clock;
    listener.open((transport) => this.#admit(transport));
  }

  get load(): SharedConnection["load"] {
    let waiting = 0;
    for (const { local, sends } of this.#tabs) waiting += local.length + sends.length;
    return {
      tabs: this.#tabs.size,
      sessions: this.#sessions.size,
      unanswered: this.#link?.pending.size ?? 0,
      waiting,
      awaitedReplies: this.#messages.size,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#dialling?.abort(new ConnectionLostError("the shared connection was closed"));
    const link = this.#link;
    this.#link = null;
    for (const tab of this.#tabs) {
      this.#leave(tab);
      tab.end();
    }
    for (const session of this.#sessions.values()) this.#forget(session);
    link?.end();
    await this.#listener.close();
  }

  // Tabs.

  #admit(transport: Transport): void {
    if (this.#closing || this.#tabs.size >= MOST_TABS) {
      const why = this.#closing ? "the shared connection was closed" : "too many tabs share it";
      transport.destroy(why);
      return;
    }
    const tab = new Tab(transport, this.#clock, (slow) =>
      this.#drop(slow, "the tab did not read its messages"),
    );
    this.#tabs.add(tab);
    transport.open({
      onData: (chunk) => this.#onData(tab, chunk),
      onClose: () => {
        this.#leave(tab);
        tab.destroy();
      },
    });
    if (this.#link?.ready) this.#greet(tab, this.#link);
    else void this.#connect();
  }

  #greet(tab: Tab, link: DaemonLink<Tab>): void {
    tab.send(link.status!);
    tab.send(link.document!);
    for (const request of tab.early.splice(0)) this.#onRequest(tab, link, request);
  }

  #onData(tab: Tab, chunk: Uint8Array): void {
    try {
      tab.decoder.push(chunk, (body) => {
        const request = tab.closed ? null : decodeRequest(body);
        if (request === null) return;
        if (this.#link?.ready) this.#onRequest(tab, this.#link, request);
        else this.#onEarly(tab, request);
      });
    } catch (error) {
      this.#drop(tab, error instanceof ProtocolError ? error.message : "a frame cannot be read");
    }
    this.#pump();
  }

  /** Keeps what came before the daemon greeted us; a client sends little before it is greeted. */
  #onEarly(tab: Tab, request: DaemonRequest): void {
    tab.early.push(request);
    tab.earlyBytes += decodedSize(request, PAUSE_ABOVE_BYTES);
    if (tab.early.length <= PAUSE_ABOVE && tab.earlyBytes <= PAUSE_ABOVE_BYTES) return;
    this.#drop(tab, "too many requests before the daemon's greeting");
  }

  #drop(tab: Tab, why: string): void {
    this.#leave(tab);
    tab.destroy(why);
  }

  /** Handles a tab that is gone: gives up its requests, but keeps its session for a while. */
  #leave(tab: Tab): void {
    if (!this.#tabs.delete(tab)) return;
    tab.closed = true;
    tab.local.length = 0;
    tab.sends.length = 0;
    const link = this.#link;
    const unwanted: Operation[] = [];
    for (const pending of link?.pending.values() ?? []) {
      if (pending.asker !== tab) continue;
      pending.asker = null;
      if (pending.operation !== null) unwanted.push(pending.operation);
    }
    if (link) for (const operation of unwanted) this.#cancel(link, operation);
    const { session } = tab;
    if (session?.tab === tab) {
      session.tab = null;
      if (session.hasToken) this.#keep(session);
      else this.#forget(session);
    }
    this.#rest();
  }

  /** Gives up the dial if no tab is left, and the connection if no session is left either. */
  #rest(): void {
    if (this.#tabs.size > 0) return;
    this.#dialling?.abort(new ConnectionLostError("no tab waits for the connection"));
    const link = this.#link;
    if (link === null || this.#sessions.size > 0) return;
    this.#link = null;
    link.end();
  }

  // Sessions.

  #attach(tab: Tab, token: Bytes | null): void {
    if (token !== null && token.length !== 16) {
      this.#drop(tab, `a session token must be 16 bytes, got ${token.length}`);
      return;
    }
    const known = token && this.#sessions.get(toHex(token));
    if (known && known !== tab.session) {
      // As at a daemon, the newer connection takes the session over.
      const older = known.tab;
      if (older !== null) {
        this.#leave(older);
        older.end();
      }
      if (tab.session) this.#forget(tab.session);
      known.grace?.cancel();
      known.grace = null;
      known.tab = tab;
      tab.session = known;
    } else if (!known) {
      if (tab.session) this.#forget(tab.session);
      tab.session = this.#newSession(tab, token);
    }
    const session = tab.session!;
    const { kept } = session;
    session.kept = [];
    for (const body of kept) {
      this.#keptBytes -= body.length;
      tab.send(body);
    }
    tab.send(
      encodeResponse({
        kind: "sessionTokenReply",
        appId: session.appId,
        resumed: Boolean(known),
      }),
    );
  }

  #newSession(tab: Tab, token: Bytes | null): Session {
    const appId = randomBytes(16);
    const session: Session = {
      key: token ? toHex(token) : `without a token: ${toHex(appId)}`,
      hasToken: token !== null,
      appId,
      tab,
      messages: new Set(),
      kept: [],
      grace: null,
    };
    this.#sessions.set(session.key, session);
    return session;
  }

  /** Keeps the session of a tab that is away. The longest absent ones are dropped first. */
  #keep(session: Session): void {
    session.grace = this.#clock.after(
      SESSION_GRACE_MS,
      () => {
        this.#forget(session);
        this.#rest();
      },
      { background: true },
    );
    // Moves it behind all others.
    this.#sessions.delete(session.key);
    this.#sessions.set(session.key, session);
    let absent = 0;
    for (const { tab } of this.#sessions.values()) if (tab === null) absent++;
    for (const one of this.#sessions.values()) {
      if (absent <= MOST_ABSENT) return;
      if (one.tab !== null) continue;
      this.#forget(one);
      absent--;
    }
  }

  #forget(session: Session): void {
    session.grace?.cancel();
    for (const body of session.kept) this.#keptBytes -= body.length;
    session.kept = [];
    for (const id of session.messages) this.#messages.delete(id);
    session.messages.clear();
    if (session.tab?.session === session) session.tab.session = null;
    session.tab = null;
    if (this.#sessions.get(session.key) === session) this.#sessions.delete(session.key);
  }

  /** Notes who gets a message's events. Returns false if another tab uses that ID. */
  #note(session: Session, id: string): boolean {
    const owner = this.#messages.get(id);
    if (owner !== undefined && owner !== session) return false;
    session.messages.delete(id);
    session.messages.add(id);
    this.#messages.set(id, session);
    if (session.messages.size > MOST_REPLIES) {
      for (const oldest of session.messages) {
        session.messages.delete(oldest);
        this.#messages.delete(oldest);
        break;
      }
    }
    return true;
  }

  // Requests.

  #onRequest(tab: Tab, link: DaemonLink<Tab>, request: DaemonRequest): void {
    if (tab.closed) return;
    if (request.kind === "sessionToken") {
      this.#attach(tab, request.clientInstanceToken);
      return;
    }
    tab.session ??= this.#newSession(tab, null);
    if (request.kind === "thinClose") {
      this.#forget(tab.session);
      this.#leave(tab);
      tab.end();
      return;
    }
    const size = decodedSize(request, PAUSE_ABOVE_BYTES);
    if (request.kind === "sendMessage") {
      for (const id of [request.surbId, request.id]) {
        if (id === null || !request.withSurb) continue;
        if (id.length !== 16 || !this.#note(tab.session, toHex(id))) {
          this.#drop(tab, "a message's ID has a wrong length, or another tab uses it");
          return;
        }
      }
      tab.messages++;
      this.#wait(tab, tab.sends, { request, size });
      return;
    }
    if (request.queryId?.length !== 16) {
      this.#drop(tab, "a query ID must be 16 bytes");
      return;
    }
    if (isStart(request)) {
      // Not paused: the tab must be able to cancel.
      const refused = tab.starts >= MOST_STARTS || tab.waitingBytes + size > PAUSE_ABOVE_BYTES;
      if (refused) {
        tab.send(encodeResponse(failedStart(request, INTERNAL_ERROR)));
        return;
      }
      tab.starts++;
      this.#wait(tab, tab.sends, { request, size });
    } else if (!isCancel(request) || !this.#cancelHere(tab, link, request)) {
      this.#wait(tab, tab.local, { request, size });
    }
  }

  #wait(tab: Tab, queue: Waiting[], waiting: Waiting): void {
    queue.push(waiting);
    tab.waitingBytes += waiting.size;
  }

  /**
   * Ends a tab's starts that wait here, and those of an operation that another tab still waits for:
   * for the daemon all tabs are one application, so a cancel would end the other tab's as well.
   * Returns true if that is all, and the cancel is answered.
   */
  #cancelHere(tab: Tab, link: DaemonLink<Tab>, request: Cancel): boolean {
    const operation = operationOf(request);
    if (operation === null) return false;
    const { key } = operation;
    const ended: Start[] = [];
    tab.sends = tab.sends.filter(({ request: start, size }) => {
      if (!isStart(start) || operationOf(start)?.key !== key) return true;
      tab.waitingBytes -= size;
      ended.push(start);
      return false;
    });
    const isShared = link.isWanted(key, tab);
    if (isShared) {
      for (const pending of link.starts.get(key) ?? []) {
        if (pending.asker !== tab) continue;
        pending.asker = null;
        ended.push(pending.request as Start);
      }
    }
    tab.starts -= ended.length;
    for (const start of ended) tab.send(encodeResponse(failedStart(start, CANCELLED)));
    if (!isShared) return false;
    const { queryId } = request;
    tab.send(encodeResponse({ kind: `${request.kind}Reply`, queryId, errorCode: 0 }));
    return true;
  }

  /** Sends what may be sent. Tabs take turns, with one request each. */
  #pump(): void {
    const link = this.#link;
    if (!link?.ready) return;
    // A tab that had its turn goes to the end, and the loop meets it again.
    for (const tab of this.#tabs) {
      if (link.isFull) {
        this.#pumpWhenDrained(link);
        break;
      }
      if (this.#sendNext(tab, link) && this.#tabs.delete(tab)) this.#tabs.add(tab);
    }
    let sendsWait = false;
    for (const tab of this.#tabs) {
      sendsWait ||= tab.sends.length > 0;
      this.#regulate(tab);
    }
    if (sendsWait) this.#askWhatWasRead(link);
  }

  #pumpWhenDrained(link: DaemonLink<Tab>): void {
    if (link.draining) return;
    link.draining = true;
    void link.drained().then(() => {
      link.draining = false;
      if (this.#link === link) this.#pump();
    });
  }

  /** Sends a tab's next request. Returns false if it has none that may be sent now. */
  #sendNext(tab: Tab, link: DaemonLink<Tab>): boolean {
    if (tab.closed || tab.transport.queuedBytes > STUCK_BYTES) return false;
    let queue: Waiting[];
    if (tab.local.length > 0 && tab.localInFlight < LOCAL_AT_ONCE) queue = tab.local;
    else if (tab.sends.length > 0 && link.unread.mayStart(link.isOnline)) queue = tab.sends;
    else return false;
    const { request, size } = queue.shift()!;
    tab.waitingBytes -= size;
    if (request.kind === "sendMessage") tab.messages--;
    try {
      this.#give(tab, link, request);
    } catch (error) {
      // Encoded anew, a request may be longer than it was, and than a frame may be.
      this.#drop(tab, (error as Error).message);
    }
    return true;
  }

  /** @throws RangeError when the request is too long, or its query ID is in use. */
  #give(tab: Tab, link: DaemonLink<Tab>, request: TabRequest): void {
    if (request.kind === "sendMessage") {
      link.write(request);
      link.unread.sent(request.surbId);
      return;
    }
    if (link.pending.has(toHex(request.queryId!))) throw new RangeError("a query ID is in use");
    link.ask(request, tab);
    if (!isStart(request)) tab.localInFlight++;
  }

  /** Stops reading a tab with too many waiting requests, until there are fewer. */
  #regulate(tab: Tab): void {
    const tooMuch =
      tab.local.length + tab.messages > PAUSE_ABOVE || tab.waitingBytes > PAUSE_ABOVE_BYTES;
    const stuck = tab.transport.queuedBytes > STUCK_BYTES;
    if (stuck && !tab.draining) {
      tab.draining = true;
      void tab.transport.drained().then(() => {
        tab.draining = false;
        this.#pump();
      });
    }
    if ((tooMuch || stuck) === tab.paused) return;
    tab.paused = !tab.paused;
    if (tab.paused) tab.transport.pause();
    else tab.transport.resume();
  }

  /** Sends a request that the daemon answers at once when it has read everything before it. */
  #askWhatWasRead(link: DaemonLink<Tab>): void {
    if (link.probing || link.unread.count === 0) return;
    link.probing = true;
    const probe = { kind: "nextMessageBoxIndex", messageBoxIndex: null } as const;
    link.ask({ ...probe, queryId: QueryId.random() }, null, () => (link.probing = false));
  }

  /**
   * Cancels an operation that no tab waits for, until its starts are answered: the daemon begins a
   * start only when its packet leaves, and a cancel may overtake it.
   */
  #cancel(
    link: DaemonLink<Tab>,
    operation: Operation,
    pauseMs = FIRST_PAUSE_MS,
    since = this.#clock.monotonic(),
  ): void {
    const { key } = operation;
    const starts = link.starts.get(key);
    if (link.ending.has(key) || !starts || link.isWanted(key)) return;
    const allHadLeft = [...starts].every(({ mark }) => mark <= link.unread.leftCount);
    link.ending.set(key, null);
    link.ask(operation.cancel(QueryId.random()), null, () => {
      link.ending.delete(key);
      const left = link.starts.get(key);
      if (!left || link.isWanted(key)) return;
      // A start whose packet had left, and which the daemon does not find, will not be answered.
      if (allHadLeft || this.#clock.monotonic() - since > LONGEST_CANCEL_MS) {
        for (const pending of left) link.forget(pending);
        return;
      }
      const again = (): void => {
        link.ending.delete(key);
        this.#cancel(link, operation, Math.min(2 * pauseMs, LONGEST_PAUSE_MS), since);
      };
      link.ending.set(key, this.#clock.after(pauseMs, again, { background: true }));
    });
  }

  // The daemon.

  async #connect(): Promise<void> {
    if (this.#link !== null || this.#dialling !== null) return;
    const abort = new AbortController();
    this.#dialling = abort;
    let transport: Transport;
    try {
      transport = await this.#dialler.dial({ signal: abort.signal });
    } catch (error) {
      this.#dialling = null;
      if (abort.signal.aborted) {
        this.#connectForNewTabs();
        return;
      }
      const why = error instanceof Error ? error.message : String(error);
      for (const tab of this.#tabs) this.#drop(tab, why);
      return;
    }
    this.#dialling = null;
    if (abort.signal.aborted) {
      transport.destroy();
      this.#connectForNewTabs();
      return;
    }
    this.#open(transport);
  }

  /** Tabs may have come after the dial for earlier ones was given up. */
  #connectForNewTabs(): void {
    if (this.#tabs.size > 0) void this.#connect();
  }

  #open(transport: Transport): void {
    const link = new DaemonLink<Tab>(transport, this.#clock, (silentMs) => {
      link.destroy();
      this.#lost(
        link,
        new ConnectionLostError(`the daemon was silent for ${silentMs} ms and did not answer`),
      );
    });
    this.#link = link;
    const tooLate = (): void => {
      link.destroy();
      const text = `${transport.address} did not finish the handshake in time: is it a kpclientd?`;
      this.#lost(link, new ConnectionLostError(text));
    };
    const deadline = this.#clock.after(
      HANDSHAKE_MS,
      () => {
        if (!link.ready) tooLate();
      },
      { background: true },
    );
    const decoder = new FrameDecoder();
    transport.open({
      onData: (chunk) => {
        link.liveness.heardBytes();
        try {
          decoder.push(chunk, (body) => {
            const response = this.#link === link ? decodeResponse(body) : null;
            if (response) this.#onResponse(link, response, body);
          });
        } catch (error) {
          link.destroy();
          this.#lost(link, error as Error);
        }
        this.#pump();
      },
      onClose: (error) => {
        deadline.cancel();
        link.stop();
        this.#lost(link, error);
      },
    });
  }

  #onResponse(
    link: DaemonLink<Tab>,
    response: DaemonResponse | MalformedReply,
    body: Uint8Array,
  ): void {
    if (link.liveness.heard(response)) return;
    switch (response.kind) {
      case "connectionStatusEvent":
        link.isOnline = response.isConnected;
        link.status = body.slice();
        this.#greeted(link, body);
        return;
      case "newPkiDocumentEvent":
        link.document = body.slice();
        this.#greeted(link, body);
        return;
      case "shutdownEvent":
        for (const tab of this.#tabs) tab.send(body);
        return;
      case "sessionTokenReply":
        // One that was not asked for says nothing, and comes before what tabs are greeted with.
        if (link.askedForSession && !link.ready) this.#ready(link, response);
        return;
      case "messageSentEvent":
      case "messageReplyEvent":
      case "messageIdGarbageCollected":
        this.#onMessageEvent(link, response, body);
        return;
      default:
        if (response.queryId) this.#onAnswer(link, response.queryId, response, body);
    }
  }

  /** Status or document came: the first ones end the greeting, later ones go to every tab. */
  #greeted(link: DaemonLink<Tab>, body: Uint8Array): void {
    if (link.ready) {
      for (const tab of this.#tabs) tab.send(body);
    } else if (link.status && link.document && !link.askedForSession) {
      link.askedForSession = true;
      link.write({ kind: "sessionToken", clientInstanceToken: this.#token });
    }
  }

  #ready(link: DaemonLink<Tab>, { appId, resumed }: DaemonResponse<"sessionTokenReply">): void {
    const isSame = !this.#appId || !appId || equalBytes(this.#appId, appId);
    this.#appId = appId;
    if (!resumed || !isSame) {
      for (const session of this.#sessions.values()) this.#forget(session);
      this.#former.clear();
    }
    link.ready = true;
    // Before any tab's start: tabs that come back start their operations again. A cancel that is
    // lost with this connection too is sent again on the next one.
    for (const [key, operation] of this.#former) {
      link.ask(operation.cancel(QueryId.random()), null, () => this.#former.delete(key));
    }
    link.liveness.start();
    for (const tab of this.#tabs) this.#greet(tab, link);
  }

  #onMessageEvent(
    link: DaemonLink<Tab>,
    event: DaemonResponse<"messageSentEvent" | "messageReplyEvent" | "messageIdGarbageCollected">,
    body: Uint8Array,
  ): void {
    const surbId = "surbId" in event ? event.surbId : null;
    if (surbId) link.unread.messageLeft(surbId);
    const ids = [surbId, event.messageId].flatMap((id) => (id ? [toHex(id)] : []));
    const session = ids.map((id) => this.#messages.get(id)).find((one) => one !== undefined);
    if (session === undefined) return;
    const isLast = event.kind !== "messageSentEvent" || Boolean(event.err);
    for (const id of isLast ? ids : []) {
      if (session.messages.delete(id)) this.#messages.delete(id);
    }
    if (session.tab !== null) {
      session.tab.send(body);
    } else if (
      event.kind === "messageReplyEvent" &&
      session.kept.length < MOST_KEPT &&
      this.#keptBytes + body.length <= MOST_KEPT_BYTES
    ) {
      session.kept.push(body.slice());
      this.#keptBytes += body.length;
    }
  }

  #onAnswer(
    link: DaemonLink<Tab>,
    queryId: Uint8Array,
    response: DaemonResponse | MalformedReply,
    body: Uint8Array,
  ): void {
    const pending = link.answered(queryId, response);
    if (pending === undefined) return;
    const { asker: tab, operation } = pending;
    if (tab !== null) {
      if (isStart(pending.request)) tab.starts--;
      else tab.localInFlight--;
      tab.send(body);
    }
    pending.onAnswer?.();
    // Starts of other tabs that went away meanwhile; this one kept them from being cancelled.
    if (operation !== null) this.#cancel(link, operation);
  }

  #lost(link: DaemonLink<Tab>, error: Error | null): void {
    if (this.#link !== link) return;
    this.#link = null;
    for (const [key, [start]] of link.starts) this.#former.set(key, start!.operation!);
    for (const tab of this.#tabs) {
      this.#leave(tab);
      if (error === null && link.ready) tab.end();
      else tab.destroy(error?.message ?? "the daemon closed the connection during the handshake");
    }
  }
}
