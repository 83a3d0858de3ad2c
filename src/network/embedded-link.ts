/** A daemon's access to the embedded network. */
import type { RandomSource } from "../bytes/bytes.js";
import { SurbId } from "../bytes/opaque.js";
import type { Clock } from "../clock/clock.js";
import { InvalidStateError, ProtocolError } from "../errors/errors.js";
import { Composer } from "../mixnet/composer.js";
import {
  LinkError,
  type LinkPace,
  type MixnetLink,
  type MixnetLinkHandlers,
  type OutgoingPacket,
  type SentPacket,
  documentInForce,
} from "../mixnet/link.js";
import { newQueueId } from "../mixnet/queue-id.js";
import { SURB_EPOCHS, SurbTable } from "../mixnet/surb-table.js";
import { type LinkTrace, type TraceHook, shortId, traceRoute } from "../mixnet/trace.js";
import type { PkiDocument } from "../pki/document.js";
import type { Geometry } from "../pki/geometry.js";
import { findServices } from "../pki/services.js";
import type { PublishedDocument } from "./directory.js";
import type { NetworkFaults } from "./faults.js";
import type { PacketQueue } from "./mix/packet-queue.js";
import { type Route, chooseRoute, hopDelay } from "../mixnet/path.js";
import type { NetworkTime } from "./network-time.js";
import type { NetworkGateway } from "./network-gateway.js";
import { pick } from "../mixnet/sampling.js";
import type { StoredReply } from "./spool.js";

/** Counters since the network began. */
export interface TrafficCounts {
  /** Packets that left a client, including decoys. */
  sent: number;
  /** Loop decoys among them. */
  decoys: number;
  /** Packets that a service received. */
  delivered: number;
  /** Packets for an endpoint that no service has. */
  undeliverable: number;
  /** Replies that reached a client. */
  replies: number;
  /** Packets lost, in both directions. */
  lost: number;
  /**
   * Real packets that a hop dropped, as it must: packets for another key, replayed packets, packets
   * with an invalid route, and replies whose client was gone. Always 0 without Sphinx.
   */
  dropped: number;
}

/**
 * `instant`: packets take no time. `realistic`: each hop delays the packet. `sphinx`: in addition,
 * packets are real ones, with layers of encryption that the hops remove.
 */
export type Mixing = "instant" | "realistic" | "sphinx";

/** What a link shares with its network. */
export interface LinkSurroundings {
  readonly clock: Clock;
  readonly time: NetworkTime;
  readonly geometry: Geometry;
  readonly gateways: readonly NetworkGateway[];
  readonly mixing: Mixing;
  readonly faults: NetworkFaults;
  readonly packets: PacketQueue;
  readonly traffic: TrafficCounts;
  /** The documents that gateways serve. */
  readonly documents: () => readonly PublishedDocument[];
  /** Called when a client asks for a missing document. */
  readonly onMissed: () => void;
  /**
   * Gives a packet with padded payload to its service; the answer goes to `reply`, now or later.
   * `reply` is null if no reply is wanted.
   */
  readonly deliver: (packet: OutgoingPacket, reply: ((payload: Uint8Array) => void) | null) => void;
  /** Called when the link was closed. */
  readonly onClose: (link: EmbeddedLink) => void;
}

const offlineText = "client/conn: not connected to the Gateway";

/** One client's connection to a gateway of the embedded network. */
export class EmbeddedLink implements MixnetLink {
  readonly #around: LinkSurroundings;
  readonly #random: RandomSource;
  readonly #onTrace: TraceHook<LinkTrace> | null;
  #handlers: MixnetLinkHandlers | null = null;
  #gateway: NetworkGateway;
  /** With real packets: makes them and opens their replies. */
  readonly #composer: Composer;
  readonly #surbs: SurbTable;
  /** With real packets: the gateway's queue in which replies wait. */
  #queueId = newQueueId();
  #leaveQueue: (() => void) | null = null;
  #connected = false;
  /** Counts connections. Each has its own name, to which replies come back. */
  #connection = 0;
  #told = new Set<PublishedDocument>();
  #known: readonly PublishedDocument[] = [];
  #closed = false;

  /**
   * @param random chooses gateways, routes and delays.
   * @param onTrace is told what the link does; null for no trace.
   */
  constructor(
    around: LinkSurroundings,
    random: RandomSource,
    onTrace: TraceHook<LinkTrace> | null = null,
  ) {
    this.#onTrace = onTrace;
    this.#around = around;
    this.#random = random;
    this.#gateway = pick(random, around.gateways);
    this.#composer = new Composer(around.geometry, random);
    this.#surbs = new SurbTable(around.clock);
  }

  /** @throws InvalidStateError when it is already open. */
  open(handlers: MixnetLinkHandlers): void {
    if (this.#handlers !== null) throw new InvalidStateError("the link is already open");
    this.#handlers = handlers;
    this.#around.clock.soon(() => {
      if (this.#closed) return;
      if (this.#around.faults.online) this.#connect();
      else handlers.onStatus({ connected: false, error: offlineText });
    });
  }

  get pace(): LinkPace {
    return this.#around.mixing === "instant" ? "instant" : "poisson";
  }

  async send(
    packet: OutgoingPacket,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<SentPacket> {
    signal?.throwIfAborted();
    const { userForwardPayloadLength } = this.#around.geometry;
    if (!this.#connected) throw new LinkError(offlineText, { isOffline: true });
    if (packet.recipient.length < 1 || packet.recipient.length > 32) {
      throw new LinkError(
        `client: invalid recipient: must be 1 to 32 bytes, got ${packet.recipient.length}`,
      );
    }
    if (packet.payload.length > userForwardPayloadLength) {
      throw new LinkError(
        `message too large: ${packet.payload.length} > ${userForwardPayloadLength}`,
      );
    }
    return { sentAt: this.#around.clock.now(), replyEtaMs: this.#dispatch(packet, false) };
  }

  async sendDecoy(): Promise<void> {
    const document = this.#document();
    if (!this.#connected || document === undefined) return;
    const echoes = findServices("echo", document.decoded);
    if (echoes.length === 0) return;
    const [destination, recipient] = pick(this.#random, echoes).toDestination();
    // A decoy has a reply block like any other packet; nobody knows its ID.
    const surbId = SurbId.from(this.#random(16));
    try {
      this.#dispatch({ destination, recipient, payload: new Uint8Array(0), surbId }, true);
      this.#around.traffic.decoys++;
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
    }
  }

  epoch(): { readonly current: number; readonly periodMs: number; readonly leftMs: number } {
    return this.#around.time.epoch();
  }

  wantDocument(): void {
    if (this.#connected) this.#around.onMissed();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#disconnect();
    this.#around.onClose(this);
  }

  /** Called when the network publishes a document, and when the epoch of one begins. */
  documentPublished(document: PublishedDocument): void {
    if (!this.#connected) return;
    this.#told.add(document);
    this.#known = this.#around.documents();
    this.#onTrace?.({
      source: "link",
      event: "document",
      at: this.#around.clock.now(),
      epoch: document.epoch,
      length: document.document.length,
    });
    this.#handlers?.onDocument(document);
  }

  /** Called when the network's gateways become reachable or unreachable. */
  reachabilityChanged(online: boolean): void {
    if (this.#closed || this.#handlers === null) return;
    if (!online && this.#connected) {
      this.#disconnect();
      this.#onTrace?.({
        source: "link",
        event: "disconnected",
        at: this.#around.clock.now(),
        gateway: this.gateway,
        reason: offlineText,
      });
      this.#handlers.onStatus({ connected: false, error: offlineText });
    } else if (online && !this.#connected) {
      this.#around.clock.soon(() => this.#connect());
    }
  }

  /** The gateway that the link leads to. */
  get gateway(): string {
    return this.#gateway.node.name;
  }

  /** Whether the link is up. */
  get connected(): boolean {
    return this.#connected;
  }

  #connect(): void {
    if (this.#closed || this.#connected || !this.#around.faults.online) return;
    if (this.#connection > 0) this.#gateway = pick(this.#random, this.#around.gateways);
    this.#connected = true;
    if (this.#around.mixing === "sphinx") {
      this.#queueId = newQueueId(this.#random);
      this.#leaveQueue = this.#gateway.spool.attach(this.#queueId, () => this.#takeStored());
    }
    if (this.#onTrace !== null) this.#traceConnected(this.#onTrace);
    this.#handlers?.onStatus({ connected: true, error: "" });
    const documents = this.#around.documents();
    this.#told = new Set([...this.#told].filter((document) => documents.includes(document)));
    // The current epoch's first, as daemons fetch them: one that gets an earlier one first works
    // with that until it looks again, a sixteenth of an epoch later.
    const { current } = this.#around.time.epoch();
    const away = ({ epoch }: PublishedDocument): number => Math.abs(epoch - current);
    for (const document of documents.toSorted((a, b) => away(a) - away(b))) {
      if (this.#connected && !this.#told.has(document)) this.documentPublished(document);
    }
  }

  #traceConnected(onTrace: TraceHook<LinkTrace>): void {
    const { gateway } = this;
    const told = { source: "link", at: this.#around.clock.now(), gateway } as const;
    onTrace({ ...told, event: "connecting", address: null });
    onTrace({ ...told, event: "connected", durationMs: 0 });
  }

  #traceSent({ surbId }: OutgoingPacket, route: Route, decoy: boolean, replyEtaMs: number): void {
    this.#onTrace?.({
      source: "link",
      event: "sent",
      at: this.#around.clock.now(),
      packet: surbId === null ? null : shortId(surbId),
      decoy,
      ...traceRoute(route),
      replyEtaMs,
    });
  }

  #traceReply(surbId: Uint8Array, decoy: boolean): void {
    this.#onTrace?.({
      source: "link",
      event: "reply",
      at: this.#around.clock.now(),
      packet: shortId(surbId),
      decoy,
    });
  }

  #traceLost(surbId: Uint8Array | null, decoy: boolean, way: "forward" | "reply"): void {
    this.#onTrace?.({
      source: "link",
      event: "lost",
      at: this.#around.clock.now(),
      packet: surbId === null ? null : shortId(surbId),
      decoy,
      way,
    });
  }

  #disconnect(): void {
    this.#connected = false;
    this.#connection++;
    this.#leaveQueue?.();
    this.#leaveQueue = null;
  }

  /** The document to use: that of the current epoch, or else that of the epoch before. */
  #document(): PublishedDocument | undefined {
    const { current } = this.#around.time.epoch();
    const of = (epoch: number): PublishedDocument | undefined =>
      this.#known.find((document) => document.epoch === epoch);
    return documentInForce(of, current);
  }

  /**
   * Sends a packet on its own route. Returns the planned round-trip time in ms; 0 without a reply
   * block.
   * @throws LinkError when no route can be found.
   */
  #dispatch(packet: OutgoingPacket, isDecoy: boolean): number {
    const document = this.#document()?.decoded;
    if (document === undefined) {
      throw new LinkError("client/conn: PKI error: no document for the current epoch");
    }
    if (this.#around.mixing === "sphinx") return this.#sendSealed(packet, document, isDecoy);
    const { mixing, time } = this.#around;
    const { surbId } = packet;
    const route = chooseRoute({
      document,
      gateway: this.#gateway.node.identityHash,
      destination: packet.destination,
      wantsReply: surbId !== null,
      random: this.#random,
      delay: mixing === "instant" ? () => 0 : () => hopDelay(this.#random, document.mu),
      epochIn: (ms) => time.epochIn(ms),
      periodMs: time.periodMs,
    });
    const replyEtaMs = surbId === null ? 0 : route.forwardMs + route.serviceMs + route.replyMs;
    this.#traceSent(packet, route, isDecoy, replyEtaMs);
    if (surbId === null) this.#sendOpen(packet, route, isDecoy, null);
    else {
      this.#sendOpen(packet, route, isDecoy, (payload) => {
        this.#traceReply(surbId, isDecoy);
        if (!isDecoy) this.#handlers?.onReply({ surbId, payload });
      });
    }
    return replyEtaMs;
  }

  /** Sends a real packet, which contains its route. */
  #sendSealed(packet: OutgoingPacket, document: PkiDocument, isDecoy: boolean): number {
    const { time } = this.#around;
    const {
      packet: sealed,
      surbKeys,
      replyEtaMs,
      route,
    } = this.#composer.compose(packet, {
      document,
      gateway: this.#gateway.node.identityHash,
      queueId: this.#queueId,
      epochIn: (ms) => time.epochIn(ms),
      periodMs: time.periodMs,
    });
    if (packet.surbId !== null) {
      const keptMs = replyEtaMs + SURB_EPOCHS * time.periodMs;
      this.#surbs.add(packet.surbId, { keys: surbKeys!, isDecoy }, keptMs);
    }
    this.#traceSent(packet, route, isDecoy, replyEtaMs);
    const { surbId } = packet;
    this.#gateway.enter(sealed, (way) => this.#traceLost(surbId, isDecoy, way));
    return replyEtaMs;
  }

  #takeStored(): void {
    const { spool } = this.#gateway;
    for (;;) {
      const reply = spool.first(this.#queueId);
      if (reply === null) return;
      spool.remove(this.#queueId, reply);
      this.#openReply(reply);
    }
  }

  #openReply({ surbId, ciphertext }: StoredReply): void {
    const surb = this.#surbs.take(surbId);
    if (surb === null) return;
    try {
      const payload = this.#composer.open(ciphertext, surb.keys);
      this.#traceReply(surbId, surb.isDecoy);
      if (!surb.isDecoy) this.#handlers?.onReply({ surbId: SurbId.from(surbId), payload });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#around.traffic.dropped++;
    }
  }

  /** Sends a packet of which only the timing and the payload are real. */
  #sendOpen(
    packet: OutgoingPacket,
    route: Route,
    isDecoy: boolean,
    onReply: ((payload: Uint8Array) => void) | null,
  ): void {
    const { clock, faults, packets, traffic } = this.#around;
    const connection = this.#connection;
    // The sender may reuse its buffers as soon as this returns.
    const payload = new Uint8Array(this.#around.geometry.userForwardPayloadLength);
    payload.set(packet.payload);
    const onItsWay = { ...packet, payload, recipient: packet.recipient.slice() };
    traffic.sent++;
    const lost = (way: "forward" | "reply"): void => {
      traffic.lost++;
      this.#traceLost(packet.surbId, isDecoy, way);
    };
    if (faults.takeLoss("forward")) {
      lost("forward");
      return;
    }
    packets.add(route.forwardMs + faults.extraDelayMs, () => {
      const holdUntil = clock.monotonic() + route.serviceMs;
      const goBack = (answer: Uint8Array): void => {
        if (faults.takeLoss("reply")) {
          lost("reply");
          return;
        }
        const heldBackMs = Math.max(0, holdUntil - clock.monotonic());
        packets.add(heldBackMs + route.replyMs + faults.extraDelayMs, () => {
          if (connection !== this.#connection) {
            lost("reply");
            return;
          }
          traffic.replies++;
          onReply?.(answer);
        });
      };
      this.#around.deliver(onItsWay, onReply === null ? null : goBack);
    });
  }
}
