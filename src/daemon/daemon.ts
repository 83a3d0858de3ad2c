/**
 * The daemon, which is what kpclientd is: sessions of many applications on one side, a mixnet link
 * on the other. It is platform-neutral: listeners, link and clock are passed in (spec/thin-protocol
 * §3 and §4).
 */
import { type Bytes, type RandomSource, randomBytes } from "../bytes/bytes.js";
import { RecentlyUsed } from "../bytes/recently-used.js";
import { Breather } from "../clock/breather.js";
import type { Clock } from "../clock/clock.js";
import type { PigeonholeSizes } from "../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../crypto/nike/scheme.js";
import type { Kindness } from "../mixnet/kindness.js";
import { LinkError, type MixnetLink } from "../mixnet/link.js";
import type { Timing } from "../mixnet/timing.js";
import { type TraceHook, quietHook, shortId } from "../mixnet/trace.js";
import type { Geometry } from "../pki/geometry.js";
import type { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import type { Listener, Transport } from "../transport/transport.js";
import type { DaemonRequest } from "../wire/requests.js";
import type { AuthorityRecord, DaemonResponse } from "../wire/responses.js";
import { AppSession, SessionTable } from "./app-session.js";
import { Arq, MAX_ABSENT_OPERATIONS } from "./arq.js";
import { ClientConnection } from "./client-connection.js";
import { Dispatcher } from "./dispatcher.js";
import { DocumentSchedule } from "./document-schedule.js";
import { Documents } from "./documents.js";
import { fitLength } from "./fit-length.js";
import { KEPT_SEALED_ENVELOPES } from "./pigeonhole-context.js";
import { PlainMessages } from "./plain-messages.js";
import { Reception } from "./reception.js";
import { SendSchedule } from "./send-schedule.js";
import type { DaemonTrace } from "./trace.js";

/** The most sessions that are kept for absent applications. */
const MAX_ABSENT_SESSIONS = 1000;

/** What a daemon needs. */
export interface DaemonOptions extends Omit<Kindness, "kindCouriers" | "kindMixes"> {
  /** The link to the mixnet; the daemon opens it and closes it. */
  readonly link: MixnetLink;
  /** The clock for all waits. */
  readonly clock: Clock;
  /** The daemon's waits; the couriers' and replicas' waits in it are ignored. */
  readonly timing: Timing;
  /**
   * Whether ticks without work, and those of LambdaL, carry a decoy; true by default. Without
   * decoys an observer sees when clients have something to send; the rate stays the same.
   */
  readonly decoys?: boolean | undefined;
  /**
   * How many sealings of envelopes and vouchers one client may have in progress; with that many,
   * its further requests wait. Default 1: every request waits for the sealing before it, as at a
   * real daemon. More is useful if the key exchange runs in workers.
   */
  readonly sealingsAtOnce?: number | undefined;
  /** Sent to clients in every status; its `userForwardPayloadLength` limits plain messages. */
  readonly geometry: Geometry;
  /** Sent to clients in every status; it must have the lengths of `sizes`. */
  readonly pigeonholeGeometry: PigeonholeGeometry;
  /** Lengths of envelopes and copy streams. */
  readonly sizes: PigeonholeSizes;
  /** NIKE scheme of the envelopes, as the replicas use it. */
  readonly scheme: NikeScheme;
  /** NIKE scheme of vouchers: CTIDH1024-X25519 on every network (spec/pigeonhole §3.1). */
  readonly voucherScheme: NikeScheme;
  /** The answer to `get_directory_authorities`; if empty, it answers with code 10. */
  readonly authorities: readonly AuthorityRecord[];
  /** Source of keys, IDs and choices; the platform's generator by default. */
  readonly random?: RandomSource | undefined;
  /** Identifies the process (16 bytes); random by default. */
  readonly instanceToken?: Bytes | undefined;
  /** Called for clients' invalid frames and for internal failures; never with contents. */
  readonly onFault?: ((error: Error) => void) | undefined;
  /** Receives a trace of requests: names, shortened IDs and times, never contents. */
  readonly onTrace?: TraceHook<DaemonTrace> | undefined;
}

/** Operations keep their query ID, so it must not be as long as a frame. */
function withFittingQueryId<R extends DaemonRequest>(request: R): R {
  if (!("queryId" in request) || request.queryId === null) return request;
  if (request.queryId.length === 16) return request;
  return { ...request, queryId: fitLength(request.queryId, 16) };
}

/** A daemon. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #random: RandomSource;
  readonly #documents: Documents;
  readonly #sessions = new SessionTable();
  readonly #connections = new Set<ClientConnection>();
  readonly #listeners = new Set<Listener>();
  readonly #schedule: SendSchedule;
  readonly #plain: PlainMessages;
  readonly #arq: Arq;
  readonly #dispatcher: Dispatcher;
  readonly #documentSchedule: DocumentSchedule;
  readonly #reception: Reception;
  readonly #instanceToken: Bytes;
  readonly #onTrace: TraceHook<DaemonTrace> | null;
  readonly #closing = new AbortController();
  #connected = false;
  #status = "";
  #closed = false;

  constructor(options: DaemonOptions) {
    const { clock, link, timing, geometry, decoys = true, random = randomBytes } = options;
    const onFault = options.onFault ?? ((): void => {});
    this.#options = { ...options, onFault };
    this.#random = random;
    const onTrace = quietHook(options.onTrace);
    this.#onTrace = onTrace;
    this.#instanceToken = options.instanceToken ?? random(16);
    this.#documents = new Documents(() => link.epoch().current);
    this.#documentSchedule = new DocumentSchedule({
      clock,
      epoch: () => link.epoch(),
      want: () => link.wantDocument?.(),
      retryMs: timing.composeRetryMs,
      documents: this.#documents,
      kind: options.kindDocuments ?? false,
      onFirst: () => this.#reception.documentCame(),
      onCurrent: (document) => {
        const { lambdaP, lambdaL } = document.decoded;
        this.#schedule.setRates({ lambdaP, lambdaL });
        this.#broadcast("document");
      },
    });
    this.#reception = new Reception({
      clock,
      timing,
      kind: options.kindConnections ?? false,
      hasDocument: () => this.#documents.current() !== null,
      admit: (transport) => this.#admit(transport),
      greet: (connection) => this.#greet(connection),
    });
    this.#schedule = new SendSchedule({
      clock,
      random,
      pace: link.pace,
      sendDecoy: () => void (decoys && link.sendDecoy()),
      onTick: onTrace === null ? null : (used) => this.#traceTick(onTrace, used),
    });
    const maxPayload = geometry.userForwardPayloadLength;
    const layers = (): number | null => this.#documents.current()?.decoded.topology.length ?? null;
    const { signal } = this.#closing;
    const telling = { signal, onFault, onTrace };
    this.#plain = new PlainMessages({ clock, link, timing, layers, maxPayload, ...telling });
    const { kindCancels = false, kindSessions = false, kindReading = false } = options;
    this.#arq = new Arq({ clock, link, timing, kindSessions, ...telling });
    this.#dispatcher = new Dispatcher({
      arq: this.#arq,
      plain: this.#plain,
      documents: this.#documentSchedule,
      kindCancels,
      kindReading,
      meanMs: () => this.#schedule.meanMs,
      sealingsAtOnce: options.sealingsAtOnce ?? 1,
      onTrace,
      context: {
        clock,
        breather: new Breather(clock),
        random,
        documents: this.#documents,
        sizes: options.sizes,
        scheme: options.scheme,
        voucherScheme: options.voucherScheme,
        sealed: new RecentlyUsed(KEPT_SEALED_ENVELOPES),
        epochPeriodMs: link.epoch().periodMs,
        authorities: options.authorities,
        onFault,
      },
    });
    link.open({
      onReply: (reply) => {
        if (!this.#plain.take(reply)) this.#arq.take(reply);
      },
      onDocument: (document) => this.#documentSchedule.offer(document),
      onStatus: ({ connected, error }) => this.#onStatus(connected, error),
    });
  }

  /** Work in progress, for tests and for `katz`. It does not identify users or contents. */
  get load(): {
    /** Open connections. */
    readonly connections: number;
    /** Sessions, including those kept for absent applications. */
    readonly sessions: number;
    /** Envelopes and copy commands that are sent until they are answered. */
    readonly operations: number;
    /** Plain messages whose reply may still come. */
    readonly awaitedReplies: number;
    /** Packets of all clients that wait for their turn to leave. */
    readonly waitingPackets: number;
    /**
     * How long the last of them waits at the document's rate, in ms; 0 without a rate. It does not
     * decrease while there is no connection.
     */
    readonly waitingMs: number;
    /**
     * For each client with waiting packets, in the order in which they connected: how many wait,
     * and the turns of the first and the last packet, from 1 on. Clients take turns.
     */
    readonly waitingTurns: readonly {
      /** How many packets of the client wait. */
      readonly packets: number;
      /** In which turn the first of them leaves: 1 is the next. */
      readonly first: number;
      /** In which turn the last of them leaves. */
      readonly last: number;
    }[];
  } {
    return {
      connections: this.#connections.size,
      sessions: this.#sessions.all.size,
      operations: this.#arq.size,
      awaitedReplies: this.#plain.size,
      waitingPackets: this.#schedule.waiting,
      waitingMs: this.#schedule.waiting * this.#schedule.meanMs,
      waitingTurns: this.#schedule.turns,
    };
  }

  /** Identifies this daemon's process: 16 bytes. */
  get instanceToken(): Bytes {
    return this.#instanceToken.slice();
  }

  /** Serves everyone who connects to `listener`; the daemon closes it. */
  listen(listener: Listener): void {
    this.#listeners.add(listener);
    listener.open((transport) => this.serve(transport));
  }

  /** Serves one client. */
  serve(transport: Transport): void {
    if (this.#closed) {
      transport.destroy();
      return;
    }
    this.#reception.receive(transport);
  }

  /** Says goodbye to all clients and stops. */
  async close(): Promise<void> {
    for (const connection of this.#connections) {
      connection.send({ kind: "shutdownEvent" });
      connection.end();
    }
    await this.#shutDown();
  }

  /** Stops like a killed process: no goodbye, connections are reset, everything is forgotten. */
  async crash(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await this.#shutDown();
  }

  /** Disconnects every client without a goodbye; sessions are kept as after any lost connection. */
  dropConnections(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  /** Drops every session whose client is away, as if its grace period were over. */
  forgetSessions(): void {
    for (const session of this.#sessions.absent) this.#endSession(session);
  }

  async #shutDown(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing.abort(new LinkError("the daemon was closed"));
    for (const session of Array.from(this.#sessions.all)) this.#endSession(session);
    this.#schedule.close();
    this.#documentSchedule.close();
    this.#reception.close();
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    await this.#options.link.close();
  }

  #admit(transport: Transport): ClientConnection {
    const connection = new ClientConnection(transport, {
      clock: this.#options.clock,
      timing: this.#options.timing,
      onRequest: (from, request) => this.#onRequest(from, request),
      onClose: (gone) => this.#onClose(gone),
      onFault: this.#options.onFault!,
    });
    this.#connections.add(connection);
    connection.open();
    return connection;
  }

  #greet(connection: ClientConnection): void {
    if (connection.closed) return;
    connection.send(this.#statusEvent());
    connection.send(this.#documentEvent());
    connection.release();
    // After a while, a client that never sends anything also gets broadcasts (spec/thin-protocol
    // §3.1).
    const { clock, timing } = this.#options;
    clock.after(timing.broadcastHoldMs, () => this.#allowBroadcasts(connection), {
      background: true,
    });
  }

  #statusEvent(): DaemonResponse<"connectionStatusEvent"> {
    return {
      kind: "connectionStatusEvent",
      isConnected: this.#connected,
      // Go's client fails on anything but null here (spec/thin-protocol §2).
      err: null,
      instanceToken: this.#instanceToken,
      sphinxGeometry: this.#options.geometry.toWire(),
      pigeonholeGeometry: this.#options.pigeonholeGeometry.toWire(),
    };
  }

  #documentEvent(): DaemonResponse<"newPkiDocumentEvent"> {
    const known = this.#documents.current();
    return {
      kind: "newPkiDocumentEvent",
      payload: known ? (known.document as Bytes) : null,
    };
  }

  #onStatus(connected: boolean, error: string): void {
    const changed = connected !== this.#connected || error !== this.#status;
    this.#connected = connected;
    this.#status = error;
    this.#schedule.setConnected(connected);
    // A gateway's handshake triggers a fetch of documents (spec/mixnet §3.6).
    if (connected) this.#documentSchedule.wake();
    if (changed) this.#broadcast("status");
  }

  #broadcast(what: "status" | "document"): void {
    for (const connection of this.#connections) {
      if (!connection.greeted) continue;
      if (connection.wantsBroadcasts) {
        connection.send(what === "status" ? this.#statusEvent() : this.#documentEvent());
      } else {
        connection.missedBroadcast[what] = true;
      }
    }
  }

  #allowBroadcasts(connection: ClientConnection): void {
    if (connection.wantsBroadcasts || connection.closed) return;
    connection.wantsBroadcasts = true;
    if (connection.missedBroadcast.status) connection.send(this.#statusEvent());
    if (connection.missedBroadcast.document) connection.send(this.#documentEvent());
  }

  #onRequest(connection: ClientConnection, request: DaemonRequest): void | Promise<void> {
    if (request.kind === "sessionToken") {
      const token = request.clientInstanceToken;
      this.#onSessionToken(connection, token && fitLength(token, 16));
      return;
    }
    const session = connection.session ?? this.#newSession(connection);
    this.#allowBroadcasts(connection);
    if (request.kind === "thinClose") {
      this.#endSession(session);
      connection.end();
      return;
    }
    return this.#dispatcher.dispatch(session, withFittingQueryId(request));
  }

  #newSession(connection: ClientConnection): AppSession {
    const { kindSessions = false } = this.#options;
    const queue = this.#schedule.createQueue();
    const hook = this.#onTrace;
    const trace = hook && { now: () => this.#options.clock.now(), hook };
    const session = new AppSession(this.#random(16), queue, connection, kindSessions, trace);
    this.#sessions.add(session);
    connection.session = session;
    this.#traceSession(session, "attached");
    return session;
  }

  #onSessionToken(connection: ClientConnection, token: Uint8Array | null): void {
    const resumed = token ? this.#sessions.find(token) : undefined;
    let session: AppSession;
    if (resumed && resumed !== connection.session) {
      // The newer connection takes the session over; the older one would never be answered again.
      const older = resumed.connection;
      if (connection.session) this.#endSession(connection.session);
      resumed.graceTimer?.cancel();
      resumed.graceTimer = null;
      this.#sessions.returned(resumed);
      resumed.connection = connection;
      connection.session = resumed;
      if (older) {
        older.session = null;
        older.end();
      }
      session = resumed;
      this.#traceSession(session, "resumed");
    } else {
      session = connection.session ?? this.#newSession(connection);
      if (token && session.token === null) this.#sessions.name(session, token);
    }
    const reply: DaemonResponse = {
      kind: "sessionTokenReply",
      appId: session.appId,
      resumed: resumed !== undefined,
    };
    // A real daemon answers the token last (spec/thin-protocol §10, defect 15).
    const { kindSessions = false } = this.#options;
    if (kindSessions) connection.send(reply);
    for (const response of session.takeKept()) connection.send(response);
    if (!kindSessions) connection.send(reply);
    this.#allowBroadcasts(connection);
  }

  #onClose(connection: ClientConnection): void {
    this.#connections.delete(connection);
    const { session } = connection;
    if (!session || session.connection !== connection) return;
    session.connection = null;
    this.#traceSession(session, "gone");
    if (!(this.#options.kindSessions ?? false)) session.queue.clearFresh();
    if (session.token === null) {
      this.#endSession(session);
      return;
    }
    this.#sessions.left(session);
    this.#boundAbsent();
    const { clock, timing } = this.#options;
    session.graceTimer = clock.after(timing.sessionGraceMs, () => this.#endSession(session), {
      background: true,
    });
  }

  /**
   * A client that keeps coming with new tokens must not fill the memory: the longest absent
   * sessions are dropped first.
   */
  #boundAbsent(): void {
    const { absent } = this.#sessions;
    let operations = 0;
    for (const session of absent) operations += this.#arq.countOf(session);
    for (const session of absent) {
      if (absent.size <= MAX_ABSENT_SESSIONS && operations <= MAX_ABSENT_OPERATIONS) return;
      operations -= this.#arq.countOf(session);
      this.#endSession(session);
    }
  }

  #traceSession(session: AppSession, state: "attached" | "resumed" | "gone" | "ended"): void {
    this.#onTrace?.({
      source: "daemon",
      event: "session",
      at: this.#options.clock.now(),
      session: shortId(session.appId),
      state,
    });
  }

  #traceTick(onTrace: TraceHook<DaemonTrace>, used: boolean): void {
    const { waiting } = this.#schedule;
    onTrace({
      source: "daemon",
      event: "tick",
      at: this.#options.clock.now(),
      used,
      waiting,
    });
  }

  #endSession(session: AppSession): void {
    this.#traceSession(session, "ended");
    session.end();
    this.#sessions.remove(session);
    this.#plain.drop(session);
    this.#arq.drop(session);
    this.#schedule.removeQueue(session.queue);
  }
}
