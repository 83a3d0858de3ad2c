/**
 * A whole mixnet inside one process: it has documents like the real authorities', routes and delays
 * like real packets', and services that answer. Packets are encrypted only with `sphinx` mixing,
 * and only this process mixes them. It gives no anonymity: use it for development and tests only.
 */
import { type Bytes, isBytes, randomBytes, toHex } from "../bytes/bytes.js";
import type { Clock } from "../clock/clock.js";
import { type PigeonholeSizes, pigeonholeSizesOf } from "../pki/pigeonhole-sizes.js";
import type { NikeScheme } from "../crypto/nike/scheme.js";
import { x25519Nike } from "../crypto/nike/x25519.js";
import type { MixnetLink, OutgoingPacket } from "../mixnet/link.js";
import { type Timing, timingOf } from "../mixnet/timing.js";
import { type LinkTrace, type TraceHook, quietHook } from "../mixnet/trace.js";
import type { PkiDocument } from "../pki/document.js";
import { replicaEpoch } from "../pki/epoch.js";
import { Geometry } from "../pki/geometry.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { Authority, type AuthorityIdentity } from "./authority/authority.js";
import { encodeDocument, signDocument } from "./authority/consensus.js";
import { Directory, type PublishedDocument } from "./directory.js";
import {
  EmbeddedLink,
  type LinkSurroundings,
  type Mixing,
  type TrafficCounts,
} from "./embedded-link.js";
import { NetworkFaults } from "./faults.js";
import { EchoService } from "./kaetzchen/echo.js";
import { type Kaetzchen, ServiceRegistry } from "./kaetzchen/kaetzchen.js";
import { PacketQueue } from "./mix/packet-queue.js";
import { SphinxMixes } from "./mix/sphinx-mixes.js";
import { NetworkGateway } from "./network-gateway.js";
import { type NetworkEpoch, NetworkTime } from "./network-time.js";
import type { EnvelopeLog } from "./courier/envelope-log.js";
import { type Rates, networkNumbers, usualPayloadLength } from "./parameters.js";
import { type Seed, derive, derivedRandom, seedBytes } from "./random.js";
import type { BoxStore } from "./replica/box-store.js";
import type { ReplicaIdentity } from "./replica/replica.js";
import { Spool } from "./spool.js";
import type { StorageTrace } from "./storage-link.js";
import { StorageNetwork } from "./storage-network.js";
import { type NetworkNode, type NetworkReplica, type Topology, makeTopology } from "./topology.js";

/** Options of a network. A missing rate is that of the usual development network. */
export interface EmbeddedNetworkOptions extends Partial<Rates> {
  /** The clock for all waits and epochs. */
  readonly clock: Clock;
  /** Determines keys, routes, delays and losses; without a seed they differ each time. */
  readonly seed?: Seed | undefined;
  /** Length of an epoch, in ms: 1000 to 604,800,000 (a week). Default: 20 minutes. */
  readonly epochMs?: number | undefined;
  /**
   * The network's first epoch, which every document names; the current one by default. A restarted
   * network must use the same value to make the same documents.
   */
  readonly genesisEpoch?: number | undefined;
  /**
   * `instant` (the default): packets take only one turn in each direction and keep their order.
   * `realistic`: each hop delays the packet. `sphinx`: in addition, packets are real ones, with
   * layers of encryption.
   */
  readonly mixing?: Mixing | undefined;
  /** Bytes that a sender may fill; default 1872, or 2000 with a scheme other than x25519. */
  readonly userForwardPayloadLength?: number | undefined;
  /** Hops of a path, 3 to 20: gateway, mix layers, service node. Default 5. */
  readonly nrHops?: number | undefined;
  /** Mixes in each layer, 1 to 100. Default 2. */
  readonly mixesPerLayer?: number | undefined;
  /** Gateways, 1 to 100. Default 1. */
  readonly gateways?: number | undefined;
  /** Service nodes, 1 to 100, each with a courier if there are replicas. Default 3. */
  readonly couriers?: number | undefined;
  /** Storage replicas, with IDs from 0 up: 2 to 256, or 0 for no storage. Default 5. */
  readonly replicas?: number | undefined;
  /** Key exchange of the storage; default x25519. */
  readonly scheme?: NikeScheme | undefined;
  /** The waits of couriers and replicas; by default chosen by `mixing` and `scheme`. */
  readonly timing?: Timing | undefined;
  /** See {@link Kindness.kindCouriers}; false by default. */
  readonly kindCouriers?: boolean | undefined;
  /** See {@link Kindness.kindMixes}; false by default. */
  readonly kindMixes?: boolean | undefined;
  /** Where a replica stores its boxes; in memory by default. Use the same `seed` each time. */
  readonly storeFor?: ((replica: ReplicaIdentity) => BoxStore) | undefined;
  /** The log of a courier (by its index, from 0), which survives restarts; none by default. */
  readonly logFor?: ((courier: number) => EnvelopeLog) | undefined;
  /** Called for each document that is published, and again when its epoch begins. */
  readonly onDocument?: ((document: PublishedDocument) => void) | undefined;
  /** Called for internal failures, such as a service that throws; never with contents. */
  readonly onFault?: ((error: Error) => void) | undefined;
  /** Receives the commands between couriers and replicas: names and times, never contents. */
  readonly onTrace?: TraceHook<StorageTrace> | undefined;
}

/** A snapshot of the network. */
export interface NetworkPicture {
  /** The current epoch, including skipped ones. */
  readonly epoch: NetworkEpoch;
  /** The mixing mode. */
  readonly mixing: Mixing;
  /** Whether gateways can be reached; see {@link NetworkFaults.setOnline}. */
  readonly online: boolean;
  /** Names of the authorities. */
  readonly authorities: readonly string[];
  /** The nodes that clients' links lead to. */
  readonly gateways: readonly NodePicture[];
  /** The mixes, first layer to last. */
  readonly layers: readonly (readonly NodePicture[])[];
  /** The nodes that run services. */
  readonly serviceNodes: readonly (NodePicture & {
    /** Capabilities that it offers, e.g. `echo` and `courier`. */
    readonly services: readonly string[];
  })[];
  /** All configured replicas, up or down. */
  readonly replicas: readonly {
    /** Its name in documents, e.g. `replica1`. */
    readonly name: string;
    /** Static ID, 0 to 255. */
    readonly replicaId: number;
  }[];
  /** Epochs whose documents are available. */
  readonly documents: readonly number[];
  /** Clients' links and their gateways. */
  readonly links: readonly {
    /** Name of the gateway. */
    readonly gateway: string;
    /** Whether packets can be sent; false between a cut and the next connection. */
    readonly connected: boolean;
  }[];
  /** Packets in progress, in both directions. */
  readonly packetsUnderWay: number;
  /** Counters since the network began. */
  readonly traffic: Readonly<TrafficCounts>;
}

/** A node in a {@link NetworkPicture}. */
export interface NodePicture {
  /** Its name in documents, e.g. `mix3`. */
  readonly name: string;
  /** BLAKE2b-256 of its identity key, in hex. */
  readonly identityHash: string;
}

const authorityCount = 3;

/** A mixnet inside one process. */
export class EmbeddedNetwork {
  /** Injects faults. */
  readonly faults: NetworkFaults;
  /**
   * The geometry that clients receive. Hops and payloads follow it; with `sphinx` mixing, packets
   * too.
   */
  readonly geometry: Geometry;
  /** Rates per millisecond, as each document publishes them. */
  readonly rates: Rates;
  /** The storage geometry that clients receive; its NIKE is that of the storage. */
  readonly pigeonholeGeometry: PigeonholeGeometry;
  /** Couriers and storage replicas, with their fault controls. */
  readonly storage: StorageNetwork;
  /** The waits of couriers and replicas. */
  readonly timing: Timing;
  /** The nodes with their public keys, derived from the seed. */
  readonly topology: Topology;
  /** @internal The lengths that follow from the geometry. */
  readonly sizes: PigeonholeSizes;
  readonly #options: EmbeddedNetworkOptions;
  readonly #mixing: Mixing;
  readonly #seed: Bytes;
  readonly #time: NetworkTime;
  readonly #authorities: readonly Authority[];
  readonly #serviceNodes: ReadonlyMap<string, NetworkNode>;
  readonly #services = new ServiceRegistry();
  readonly #directory: Directory;
  readonly #packets: PacketQueue;
  readonly #links = new Set<EmbeddedLink>();
  readonly #traffic: TrafficCounts;
  readonly #genesisEpoch: number;
  readonly #gateways: readonly NetworkGateway[];
  #linkCount = 0;
  #closed = false;

  /** Nothing runs before {@link start}. @throws RangeError naming an invalid option. */
  constructor(options: EmbeddedNetworkOptions) {
    const { clock, scheme = x25519Nike } = options;
    this.#options = options;
    this.#mixing = options.mixing ?? "instant";
    this.timing = options.timing ?? timingOf(this.#mixing, scheme.name);
    this.#seed = seedBytes(options.seed);
    // Packets leave at once, so the document gives the highest possible rate: clients rely on it.
    const lambdaP = options.lambdaP ?? (this.#mixing === "instant" ? 1 : undefined);
    const numbers = networkNumbers({
      ...options,
      lambdaP,
      userForwardPayloadLength: options.userForwardPayloadLength ?? usualPayloadLength(scheme.name),
    });
    const { epochMs, nrHops } = numbers;
    this.rates = numbers.rates;
    this.geometry = Geometry.forNike({
      nike: "x25519",
      nrHops,
      userForwardPayloadLength: numbers.userForwardPayloadLength,
    });
    this.pigeonholeGeometry = PigeonholeGeometry.fromSphinx(this.geometry, scheme.name);
    this.sizes = pigeonholeSizesOf(this.pigeonholeGeometry);
    this.topology = makeTopology(this.#seed, {
      authorities: authorityCount,
      gateways: numbers.gateways,
      layers: nrHops - 2,
      mixesPerLayer: numbers.mixesPerLayer,
      serviceNodes: numbers.couriers,
      replicas: numbers.replicas,
    });
    this.#authorities = Array.from(
      { length: authorityCount },
      (_, i) => new Authority(this.#seed, i),
    );
    this.#serviceNodes = new Map(
      this.topology.serviceNodes.map((node) => [toHex(node.identityHash), node]),
    );
    for (const node of this.topology.serviceNodes) {
      this.#services.attach(node, new EchoService());
      this.#services.attach(node, new EchoService("testdest"));
    }
    this.#time = new NetworkTime(clock, epochMs);
    this.#genesisEpoch = options.genesisEpoch ?? this.#time.epoch().current;
    this.#packets = new PacketQueue(clock);
    this.#traffic = {
      sent: 0,
      decoys: 0,
      delivered: 0,
      undeliverable: 0,
      replies: 0,
      lost: 0,
      dropped: 0,
    };
    this.#directory = new Directory({
      clock,
      time: this.#time,
      make: (epoch) => this.#makeDocument(epoch),
      onDocument: (document) => {
        // The servers first: clients may use a document as soon as they have it.
        this.storage.documentChanged();
        options.onDocument?.(document);
        for (const link of this.#links) link.documentPublished(document);
      },
      onFault: (error) => options.onFault?.(error),
    });
    this.faults = new NetworkFaults(derivedRandom(this.#seed, "faults"), {
      onOnline: (online) => {
        for (const link of this.#links) link.reachabilityChanged(online);
        for (const { server } of this.#gateways) server?.reachabilityChanged(online);
      },
      onDocumentsWithheld: (withheld) => this.#directory.setWithheld(withheld),
    });
    this.#gateways = this.#makeGateways();
    this.storage = this.#makeStorage(scheme);
    for (const [place, courier] of this.storage.couriers.entries()) this.attach(place, courier);
  }

  #makeStorage(scheme: NikeScheme): StorageNetwork {
    const { clock, seed, kindCouriers, storeFor, logFor, onFault, onTrace } = this.#options;
    // Stored boxes were sealed with keys that are derived from the seed as it was given.
    const secret = isBytes(seed) ? seed : this.#seed;
    return new StorageNetwork({
      clock,
      // Stored boxes were sealed with nonces drawn earlier, which must not be drawn again.
      random: storeFor || logFor ? randomBytes : derivedRandom(secret, "storage"),
      timing: this.timing,
      scheme,
      sizes: this.sizes,
      replicas: this.replicas,
      courierCount: this.replicas.length === 0 ? 0 : this.serviceNodes.length,
      keySeed: derive(secret, "envelope keys"),
      paced: this.#mixing !== "instant",
      kindCouriers,
      storeFor,
      logFor,
      onFault,
      onTrace: quietHook(onTrace),
      courierName: (place) => this.serviceNodes[place]!.name,
      replicaEpoch: () => replicaEpoch(this.currentEpoch, this.#time.periodMs),
      document: () => this.currentDocument(),
    });
  }

  #makeGateways(): NetworkGateway[] {
    const traffic = this.#traffic;
    const { clock, kindMixes } = this.#options;
    const spools = new Map(
      this.topology.gateways.map((node) => {
        const onTaken = (): void => void traffic.replies++;
        const onDropped = (): void => void traffic.dropped++;
        return [node, new Spool({ clock, time: this.#time, onTaken, onDropped })] as const;
      }),
    );
    const mixes = new SphinxMixes({
      clock,
      time: this.#time,
      geometry: this.geometry,
      topology: this.topology,
      mu: this.rates.mu,
      faults: this.faults,
      packets: this.#packets,
      traffic,
      spools,
      kindMixes,
      deliver: (packet, reply) => this.#deliver(packet, reply),
    });
    return [...spools].map(([node, spool]) => new NetworkGateway(node, spool, mixes));
  }

  /** @internal The gateways, as their ports see them. */
  get gateways(): readonly NetworkGateway[] {
    return this.#gateways;
  }

  /** The authorities, as daemons list them. */
  get authorities(): readonly AuthorityIdentity[] {
    return this.#authorities.map((authority) => authority.identity);
  }

  /** @internal The authorities with their keys; the link keys are secret. */
  get authorityKeys(): readonly Authority[] {
    return this.#authorities;
  }

  /** Number of the current epoch, including skipped ones. */
  get currentEpoch(): number {
    return this.#time.epoch().current;
  }

  /** The current epoch, its length and the time left, in ms. */
  epoch(): NetworkEpoch {
    return this.#time.epoch();
  }

  /** The storage replicas that belong to the network. */
  get replicas(): readonly NetworkReplica[] {
    return this.topology.replicas;
  }

  /** The service nodes, in the order that {@link attach} uses. */
  get serviceNodes(): readonly NetworkNode[] {
    return this.topology.serviceNodes;
  }

  /**
   * Puts a service on a service node. Packets reach it at once. Documents list it from the next one
   * that is made, so attach it before {@link start}.
   * @throws RangeError when there is no such node, or the service's names are invalid or already
   * used.
   */
  attach(serviceNodeIndex: number, kaetzchen: Kaetzchen): void {
    const node = this.topology.serviceNodes[serviceNodeIndex];
    if (node === undefined) {
      throw new RangeError(
        `\`serviceNodeIndex\` must be from 0 to ${this.topology.serviceNodes.length - 1}, ` +
          `got ${serviceNodeIndex}`,
      );
    }
    this.#services.attach(node, kaetzchen);
  }

  /**
   * Makes the replicas' keys, publishes the documents that are due, and from then on each one in
   * time.
   * @throws (rejects) with what the scheme threw.
   */
  async start(): Promise<void> {
    await this.storage.start();
    await this.#directory.step();
  }

  /**
   * Ends all links and the storage, closes its stores and logs, drops packets in progress, and
   * cancels all timers. Idempotent.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#directory.close();
    this.#packets.close();
    for (const { spool } of this.#gateways) spool.close();
    await Promise.all([...this.#links].map((link) => link.close()));
    await this.storage.close();
  }

  /**
   * Makes the next epoch the current one without moving the clock; resolves when its document is
   * published, at once if documents are withheld.
   * @returns the new epoch.
   */
  async advanceEpoch(): Promise<number> {
    this.#time.skipEpoch();
    for (const { spool } of this.#gateways) spool.sweep();
    await this.#directory.step();
    return this.currentEpoch;
  }

  /** The available documents: of the previous, the current and the next epoch. */
  documents(): readonly PublishedDocument[] {
    return this.#directory.documents();
  }

  /** The current epoch's document, or else that of the epoch before, or else null. */
  currentDocument(): PkiDocument | null {
    return this.#directory.current()?.decoded ?? null;
  }

  /** A new client's access to the network. */
  link(
    options: {
      /** Hears what the link does: names, shortened ids and times, never contents. */
      readonly onTrace?: TraceHook<LinkTrace> | undefined;
    } = {},
  ): MixnetLink {
    const around: LinkSurroundings = {
      clock: this.#options.clock,
      time: this.#time,
      geometry: this.geometry,
      gateways: this.#gateways,
      mixing: this.#mixing,
      faults: this.faults,
      packets: this.#packets,
      traffic: this.#traffic,
      documents: () => this.#directory.documents(),
      onMissed: () => this.#directory.look(),
      deliver: (packet, reply) => this.#deliver(packet, reply),
      onClose: (closed) => this.#links.delete(closed),
    };
    const random = derivedRandom(this.#seed, `link ${this.#linkCount++}`);
    const link = new EmbeddedLink(around, random, quietHook(options.onTrace));
    this.#links.add(link);
    return link;
  }

  /** A snapshot of the network. */
  describe(): NetworkPicture {
    const picture = (node: NetworkNode): NodePicture => ({
      name: node.name,
      identityHash: toHex(node.identityHash),
    });
    return {
      epoch: this.epoch(),
      mixing: this.#mixing,
      online: this.faults.online,
      authorities: this.authorities.map((authority) => authority.identifier),
      gateways: this.topology.gateways.map(picture),
      layers: this.topology.layers.map((layer) => layer.map(picture)),
      serviceNodes: this.topology.serviceNodes.map((node) => ({
        ...picture(node),
        services: [...this.#services.endpoints(node).keys()],
      })),
      replicas: this.replicas.map(({ name, replicaId }) => ({ name, replicaId })),
      documents: this.documents().map((document) => document.epoch),
      links: [
        ...[...this.#links].map(({ gateway, connected }) => ({ gateway, connected })),
        ...this.#gateways.flatMap(({ node, server }) =>
          Array.from({ length: server?.clients ?? 0 }, () => ({
            gateway: node.name,
            connected: true,
          })),
        ),
      ],
      packetsUnderWay: this.#packets.size,
      traffic: { ...this.#traffic },
    };
  }

  async #makeDocument(epoch: number): Promise<{ certificate: Bytes; document: Bytes }> {
    const first = replicaEpoch(epoch, this.#time.periodMs);
    const keys = await Promise.all(
      this.replicas.map(async ({ replicaId }) => {
        return [replicaId, await this.storage.publicKeys(replicaId, [first, first + 1])] as const;
      }),
    );
    const document = encodeDocument({
      epoch,
      genesisEpoch: this.#genesisEpoch,
      topology: this.topology,
      rates: this.rates,
      geometry: this.geometry,
      envelopeKeys: new Map(keys),
      endpointsOf: (node) => this.#services.endpoints(node),
      seed: this.#seed,
    });
    return { document, certificate: signDocument(document, epoch, this.#authorities) };
  }

  /** Delivers a packet that has reached its service node. */
  #deliver(packet: OutgoingPacket, reply: ((payload: Uint8Array) => void) | null): void {
    const node = this.#serviceNodes.get(toHex(packet.destination));
    const service = node && this.#services.find(node, packet.recipient);
    if (service === undefined) {
      this.#traffic.undeliverable++;
      return;
    }
    this.#traffic.delivered++;
    const { payload } = packet;
    const goBack = (answer: Uint8Array | null): void => {
      if (answer === null || reply === null || this.#closed) return;
      const length = this.geometry.forwardPayloadLength;
      if (answer.length > length) {
        throw new RangeError(`a reply must be at most ${length} bytes, got ${answer.length}`);
      }
      reply(padded(answer, length));
    };
    const onFault = (error: unknown): void => {
      this.#options.onFault?.(error instanceof Error ? error : new Error(String(error)));
    };
    try {
      const answer = service.handle({ payload, wantsReply: reply !== null });
      // An answer that is already there goes back in this turn.
      if (answer instanceof Promise) answer.then(goBack).catch(onFault);
      else goBack(answer);
    } catch (error) {
      onFault(error);
    }
  }
}

function padded(bytes: Uint8Array, length: number): Bytes {
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
}
