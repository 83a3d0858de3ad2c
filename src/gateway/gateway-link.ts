/** A daemon's access to a real network: through a gateway, with Sphinx packets. */
import type { Bytes, RandomSource } from "../bytes/bytes.js";
import { randomBytes } from "../bytes/bytes.js";
import { SurbId } from "../bytes/opaque.js";
import { Breather } from "../clock/breather.js";
import type { Clock, Timer } from "../clock/clock.js";
import { onAbort } from "../clock/on-abort.js";
import { InvalidStateError, ProtocolError } from "../errors/errors.js";
import type { KemScheme } from "../kem/scheme.js";
import { Composer } from "../mixnet/composer.js";
import {
  LinkError,
  type MixnetLink,
  type MixnetLinkHandlers,
  type OutgoingPacket,
  type SentPacket,
} from "../mixnet/link.js";
import { pick } from "../mixnet/sampling.js";
import { SURB_EPOCHS, SurbTable } from "../mixnet/surb-table.js";
import { type LinkTrace, type TraceHook, quietHook, shortId, traceRoute } from "../mixnet/trace.js";
import { findServices, identityHash } from "../pki/services.js";
import type { Transport } from "../transport/transport.js";
import {
  DialPauses,
  type GatewayCandidate,
  chooseGateway,
  DEFAULT_TRANSPORTS,
  dialPlan,
  gatewaysOf,
  listsGateway,
} from "./connector.js";
import { type DocumentRules, LinkDocuments } from "./documents.js";
import { GatewaySession, type SessionTiming } from "./session.js";

/** Options of a link to a real network. */
export interface GatewayLinkOptions extends DocumentRules {
  readonly clock: Clock;
  /** KEM of links. */
  readonly kem: KemScheme;
  /** Gateways to start with, at least one; later any gateway of the consensus may be used. */
  readonly pinned: readonly GatewayCandidate[];
  /** Which transports are dialled, in order; upstream's order by default. */
  readonly transports?: readonly string[] | undefined;
  /** Dials a URL, e.g. `tcp://192.0.2.1:30004`, possibly through a proxy. */
  readonly dial: (url: string, signal: AbortSignal) => Promise<Transport>;
  /** Longest wait for a dial, in ms; a minute by default. */
  readonly dialTimeoutMs?: number | undefined;
  /** Whether to use the gateway's clock, from the handshake; false by default. */
  readonly timeSync?: boolean | undefined;
  readonly timing?: SessionTiming | undefined;
  readonly random?: RandomSource | undefined;
  /** Receives a trace of the link: names, shortened IDs and times, never contents. */
  readonly onTrace?: TraceHook<LinkTrace> | undefined;
}

/** A link's state. Names and times only, never contents or keys. */
export interface GatewayLinkState {
  /** What it is doing. */
  readonly phase: "waiting" | "dialling" | "handshake" | "connected" | "closed";
  /** The connected gateway, or the one that is being tried. */
  readonly gateway: string | null;
  /** The last dialled URL. */
  readonly address: string | null;
  /** Why the last link or dial ended; null before that, and while the link is up. */
  readonly lastError: string | null;
  /** Our clock minus the gateway's, in ms; null before the first handshake. */
  readonly clockSkewMs: number | null;
  /** The current epoch, by the clock that the link uses. */
  readonly epoch: number;
  /** The known documents, with their signers. */
  readonly documents: readonly {
    /** The epoch that it is for. */
    readonly epoch: number;
    /** Names of the authorities with valid signatures. */
    readonly signers: readonly string[];
  }[];
  /**
   * Why this epoch's document is missing, as far as gateways said: none of them has it, or theirs
   * cannot be verified. Null if it is known, and before the first answer.
   */
  readonly documentProblem: string | null;
  /** Packets that left, including decoys. */
  readonly sent: number;
  /** Loop decoys among them. */
  readonly decoys: number;
  /** Opened replies, including those to decoys. */
  readonly replies: number;
  /** Reply blocks whose replies are awaited. */
  readonly surbs: number;
}

/** Upstream's text, which daemons pass on to clients. */
const offlineText = "client/conn: not connected to the Gateway";
const noDocumentText = "client/conn: PKI error: client: no document of this epoch";

/** After this part of an epoch without its document another gateway is asked. */
const documentPatience = 1 / 16;
/** How often the wall clock is looked at while the link sleeps, in ms. */
const lookAgainMs = 10_000;
/** A clock skew above this part of an epoch is mentioned if a document is missing. */
const skewShare = 1 / 100;

/** One client's access to a real network. */
export class GatewayLink implements MixnetLink {
  /** A real network always uses ticks; no option changes that. */
  readonly pace = "poisson";
  readonly #options: GatewayLinkOptions;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  readonly #onTrace: TraceHook<LinkTrace> | null;
  readonly #composer: Composer;
  readonly #documents: LinkDocuments;
  readonly #surbs: SurbTable;
  readonly #pauses = new DialPauses();
  readonly #closing = new AbortController();
  #handlers: MixnetLinkHandlers | null = null;
  #session: GatewaySession | null = null;
  #running: Promise<void> = Promise.resolve();
  #phase: GatewayLinkState["phase"] = "waiting";
  #askNow: (() => void) | null = null;
  #gateway: string | null = null;
  #address: string | null = null;
  #lastError: string | null = null;
  #clockSkewMs: number | null = null;
  /** The gateways that were left in an epoch because they did not have its document. */
  #without: { readonly epoch: number; readonly names: Set<string> } = {
    epoch: 0,
    names: new Set(),
  };
  #told: { readonly connected: boolean; readonly error: string } | null = null;
  readonly #counts = { sent: 0, decoys: 0, replies: 0 };

  /**
   * @throws RangeError without a pinned gateway, or for a geometry whose packets cannot be made.
   */
  constructor(options: GatewayLinkOptions) {
    if (options.pinned.length === 0) throw new RangeError("`pinned` must not be empty");
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random ?? randomBytes;
    this.#onTrace = quietHook(options.onTrace);
    this.#composer = new Composer(options.geometry, this.#random);
    this.#surbs = new SurbTable(options.clock);
    const breather = new Breather(options.clock);
    this.#documents = new LinkDocuments(
      options,
      () => this.#now(),
      () => breather.pause(),
      {
        onDocument: (document) => {
          this.#onTrace?.({
            source: "link",
            event: "document",
            at: this.#clock.now(),
            epoch: document.epoch,
            length: document.document.length,
          });
          this.#handlers?.onDocument(document);
        },
        onRefused: (gateway, epoch, reason) =>
          this.#onTrace?.({
            source: "link",
            event: "documentRefused",
            at: this.#clock.now(),
            gateway,
            epoch,
            reason,
          }),
      },
    );
  }

  /** @throws InvalidStateError when it is already open. */
  open(handlers: MixnetLinkHandlers): void {
    if (this.#handlers !== null) throw new InvalidStateError("the link is already open");
    this.#handlers = handlers;
    this.#clock.soon(() => {
      this.#running = this.#run();
    });
  }

  async send(
    packet: OutgoingPacket,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<SentPacket> {
    const replyEtaMs = await this.#dispatch(packet, false, signal);
    return { sentAt: this.#clock.now(), replyEtaMs };
  }

  async sendDecoy(): Promise<void> {
    const document = this.#documents.current();
    if (this.#session === null || document === null) return;
    const echoes = findServices("echo", document);
    if (echoes.length === 0) return;
    const [destination, recipient] = pick(this.#random, echoes).toDestination();
    const surbId = SurbId.from(this.#random(16));
    try {
      await this.#dispatch({ destination, recipient, payload: new Uint8Array(0), surbId }, true);
      this.#counts.decoys++;
    } catch {
      // The link is down or there is no route: nobody waits for a decoy.
    }
  }

  /**
   * Asks the gateway at once if a document is missing; requests that failed before are not
   * repeated.
   */
  wantDocument(): void {
    this.#askNow?.();
  }

  epoch(): { readonly current: number; readonly periodMs: number; readonly leftMs: number } {
    const { epoch, leftMs } = this.#documents.epoch();
    return { current: epoch, periodMs: this.#options.periodMs, leftMs };
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(new LinkError("the link was closed"));
      this.#session?.close(this.#closing.signal.reason as Error);
    }
    await this.#running;
    this.#phase = "closed";
    this.#surbs.clear();
  }

  /** The link's state, for people and for tests. */
  describe(): GatewayLinkState {
    return {
      phase: this.#phase,
      gateway: this.#gateway,
      address: this.#address,
      lastError: this.#lastError,
      clockSkewMs: this.#clockSkewMs,
      epoch: this.#documents.epoch().epoch,
      documents: this.#documents.known().map(({ document, signers }) => ({
        epoch: document.epoch,
        signers: signers.map(({ identifier }) => identifier),
      })),
      documentProblem: this.#documents.problem(),
      ...this.#counts,
      surbs: this.#surbs.size,
    };
  }

  #now(): number {
    const skew = this.#options.timeSync === true ? (this.#clockSkewMs ?? 0) : 0;
    return this.#clock.now() - skew;
  }

  /** Makes and sends a packet; returns the planned round-trip time in ms. */
  async #dispatch(packet: OutgoingPacket, isDecoy: boolean, signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted();
    const session = this.#session;
    if (session === null) throw new LinkError(offlineText, { isOffline: true });
    const document = this.#documents.current();
    if (document === null) throw new LinkError(this.#noDocument());
    const { periodMs } = this.#options;
    const composed = this.#composer.compose(packet, {
      document,
      gateway: identityHash(session.gateway.identityKey),
      queueId: session.queueId,
      epochIn: (ms) => this.#documents.epoch(ms).epoch,
      periodMs,
    });
    const { surbId } = packet;
    if (surbId !== null) {
      const keptMs = composed.replyEtaMs + SURB_EPOCHS * periodMs;
      this.#surbs.add(surbId, { keys: composed.surbKeys!, isDecoy }, keptMs);
    }
    try {
      await unless(signal, session.sendPacket(composed.packet));
    } catch (error) {
      if (surbId !== null) this.#surbs.forget(surbId);
      signal?.throwIfAborted();
      const message = error instanceof Error ? error.message : String(error);
      throw new LinkError(message, { isOffline: true });
    }
    this.#counts.sent++;
    this.#onTrace?.({
      source: "link",
      event: "sent",
      at: this.#clock.now(),
      packet: surbId === null ? null : shortId(surbId),
      decoy: isDecoy,
      ...traceRoute(composed.route),
      replyEtaMs: composed.replyEtaMs,
    });
    return composed.replyEtaMs;
  }

  /**
   * Why nothing can be sent without a document. If the clock is wrong, the link asks for another
   * epoch's document.
   */
  #noDocument(): string {
    const skewMs = this.#options.timeSync === true ? 0 : (this.#clockSkewMs ?? 0);
    const problem = this.#documents.problem();
    const reasons = problem === null ? [] : [problem];
    if (Math.abs(skewMs) >= this.#options.periodMs * skewShare) {
      const seconds = Math.round(Math.abs(skewMs) / 1000);
      const where = skewMs > 0 ? "ahead of" : "behind";
      reasons.push(`this machine's clock is ${seconds} s ${where} the gateway's: set it`);
    }
    return [noDocumentText, ...reasons].join("; ");
  }

  #takeReply(surbId: Bytes, ciphertext: Bytes): void {
    const surb = this.#surbs.take(surbId);
    if (surb === null) return;
    let payload: Bytes;
    try {
      payload = this.#composer.open(ciphertext, surb.keys);
    } catch (error) {
      if (error instanceof ProtocolError) return;
      throw error;
    }
    this.#counts.replies++;
    this.#onTrace?.({
      source: "link",
      event: "reply",
      at: this.#clock.now(),
      packet: shortId(surbId),
      decoy: surb.isDecoy,
    });
    if (!surb.isDecoy) this.#handlers!.onReply({ surbId: SurbId.from(surbId), payload });
  }

  /** Dials and serves one link after the other, until the link is closed. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { transports = DEFAULT_TRANSPORTS } = this.#options;
    while (!signal.aborted) {
      const avoid = (name: string): boolean => this.#isAvoided(name);
      const gateway = chooseGateway(this.#gateways(), avoid, this.#random);
      const plan = dialPlan(gateway, transports);
      this.#gateway = gateway.name;
      if (plan.length === 0) {
        const wanted = transports.join(", ");
        this.#wentDown(
          new LinkError(`${gateway.name} has no address of these transports: ${wanted}`),
        );
        await this.#rest(this.#pauses.next());
      }
      for (const url of plan) {
        await this.#rest(this.#pauses.next());
        if (signal.aborted) break;
        if (await this.#serve(gateway, url)) break;
      }
    }
    this.#wentDown(signal.reason as Error);
  }

  /** Waits `ms` milliseconds, or until the link is closed. */
  async #rest(ms: number): Promise<void> {
    if (ms <= 0) return;
    this.#phase = "waiting";
    await this.#clock.sleep(ms, this.#closing.signal).catch(() => {});
  }

  /** Serves one link, from the dial to its end. Returns whether it was established. */
  async #serve(gateway: GatewayCandidate, url: string): Promise<boolean> {
    const { kem, geometry, timing, random } = this.#options;
    this.#address = url;
    const begun = this.#clock.monotonic();
    const { name } = gateway;
    this.#onTrace?.({
      source: "link",
      event: "connecting",
      at: this.#clock.now(),
      gateway: name,
      address: url,
    });
    let session: GatewaySession;
    try {
      this.#phase = "dialling";
      const transport = await this.#dial(url);
      this.#phase = "handshake";
      session = await GatewaySession.connect(
        {
          transport,
          kem,
          shape: geometry,
          gateway,
          clock: this.#clock,
          timing,
          random,
          onReply: (surbId, ciphertext) => this.#takeReply(surbId, ciphertext),
          onActivity: () => this.#pauses.reset(),
        },
        this.#closing.signal,
      );
    } catch (error) {
      this.#wentDown(error);
      return false;
    }
    this.#session = session;
    this.#phase = "connected";
    this.#clockSkewMs = session.clockSkewMs;
    this.#lastError = null;
    this.#onTrace?.({
      source: "link",
      event: "connected",
      at: this.#clock.now(),
      gateway: name,
      durationMs: this.#clock.monotonic() - begun,
    });
    this.#tell({ connected: true, error: "" });
    // The link was closed in the moment when the handshake finished.
    if (this.#closing.signal.aborted) session.close(this.#closing.signal.reason as Error);
    const keeping = this.#keepDocuments(session);
    const reason = await session.ended;
    this.#session = null;
    // Replies to the old queue ID do not arrive any more; its reply blocks are left to expire.
    await keeping;
    this.#wentDown(reason);
    return true;
  }

  async #dial(url: string): Promise<Transport> {
    const { dial, dialTimeoutMs = 60_000 } = this.#options;
    const controller = new AbortController();
    const leave = onAbort(this.#closing.signal, () =>
      controller.abort(this.#closing.signal.reason),
    );
    const timer: Timer = this.#clock.after(dialTimeoutMs, () =>
      controller.abort(new LinkError(`${url}: no connection within ${dialTimeoutMs} ms`)),
    );
    try {
      this.#closing.signal.throwIfAborted();
      return await dial(url, controller.signal);
    } finally {
      timer.cancel();
      leave();
    }
  }

  /** Asks for documents while the link is up; leaves a gateway that has an invalid one. */
  async #keepDocuments(session: GatewaySession): Promise<void> {
    let missingSince: number | null = null;
    try {
      for (;;) {
        const { sleepMs, refusal } = await this.#documents.wake(session);
        if (refusal !== null) throw refusal;
        this.#checkListed(session);
        const now = this.#clock.monotonic();
        missingSince = this.#isMissing() ? (missingSince ?? now) : null;
        if (missingSince !== null) this.#checkNoOtherHasIt(session, now - missingSince);
        await this.#sleepUntilAsked(session, sleepMs);
      }
    } catch (error) {
      session.close(error as Error);
    }
  }

  #gateways(): readonly GatewayCandidate[] {
    return gatewaysOf(this.#documents.current(), this.#options.pinned);
  }

  /** Whether a gateway failed with this epoch's document, or was left because it has none. */
  #isAvoided(name: string): boolean {
    const { epoch, names } = this.#without;
    const isWithout = epoch === this.#documents.epoch().epoch && names.has(name);
    return isWithout || this.#documents.hasFailed(name);
  }

  /** Whether this epoch's document is missing. */
  #isMissing(): boolean {
    return this.#documents.current()?.epoch !== this.#documents.epoch().epoch;
  }

  /**
   * A gateway that does not get the document, or says so, must not keep us from one that has it.
   * Each gateway gets one chance in an epoch, and the last one is kept.
   * @throws LinkError when it is time to ask another gateway.
   */
  #checkNoOtherHasIt({ gateway: { name } }: GatewaySession, missingMs: number): void {
    const isPatient = missingMs < this.#options.periodMs * documentPatience;
    if (isPatient && !this.#documents.hasFailed(name)) return;
    const { epoch } = this.#documents.epoch();
    if (this.#without.epoch !== epoch) this.#without = { epoch, names: new Set() };
    this.#without.names.add(name);
    if (this.#gateways().every((one) => this.#isAvoided(one.name))) return;
    throw new LinkError(`${name} does not have the document of this epoch`);
  }

  /** @throws LinkError when this epoch's document does not list the gateway. */
  #checkListed({ gateway }: GatewaySession): void {
    const document = this.#documents.current();
    if (document === null || this.#isMissing() || listsGateway(document, gateway)) return;
    throw new LinkError(`the consensus does not list ${gateway.name} with these keys`);
  }

  /**
   * Sleeps until it is time to ask, or somebody wants a document. Timers do not follow the wall
   * clock, which may be set, and the machine may sleep: so the sleep also ends when this epoch's
   * document has become one that is missing.
   * @throws The reason why the link ended, as a rejection.
   */
  #sleepUntilAsked(session: GatewaySession, ms: number): Promise<void> {
    const wakeAt = this.#clock.monotonic() + ms;
    const wasMissing = this.#isMissing();
    return new Promise((resolve, reject) => {
      let timer: Timer | null = null;
      const done = (): void => {
        timer?.cancel();
        this.#askNow = null;
        resolve();
      };
      const look = (): void => {
        const leftMs = wakeAt - this.#clock.monotonic();
        if (leftMs <= 0 || (this.#isMissing() && !wasMissing)) done();
        else timer = this.#clock.after(Math.min(leftMs, lookAgainMs), look);
      };
      this.#askNow = done;
      look();
      void session.ended.then((reason) => {
        timer?.cancel();
        if (this.#askNow === done) this.#askNow = null;
        reject(reason);
      });
    });
  }

  #wentDown(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#lastError = message;
    this.#phase = "waiting";
    this.#onTrace?.({
      source: "link",
      event: "disconnected",
      at: this.#clock.now(),
      gateway: this.#gateway,
      reason: message,
    });
    this.#tell({ connected: false, error: message });
  }

  /** Reports a changed status; an unreachable gateway is not reported again with every dial. */
  #tell(status: { readonly connected: boolean; readonly error: string }): void {
    const last = this.#told;
    if (last?.connected === status.connected && last.error === status.error) return;
    this.#told = status;
    this.#handlers!.onStatus(status);
  }
}

/** Settles as `work` does, unless the signal is aborted before: then it rejects with its reason. */
function unless(signal: AbortSignal | undefined, work: Promise<void>): Promise<void> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = onAbort(signal, () => reject(signal.reason as Error));
    work.then(resolve, reject).finally(leave);
  });
}
