/**
 * The route of real packets through the network, from a client's gateway to a service and back.
 * Every hop removes its layer, delays the packet, and passes it to the next (spec/mixnet §4.6,
 * §7.5).
 */
import { toHex } from "../../bytes/bytes.js";
import type { Clock } from "../../clock/clock.js";
import { ProtocolError } from "../../errors/errors.js";
import type { OutgoingPacket } from "../../mixnet/link.js";
import { samplingCap } from "../../pki/epoch.js";
import type { Geometry } from "../../pki/geometry.js";
import { decodeForwardPayload } from "../../sphinx/payload.js";
import { Sphinx } from "../../sphinx/sphinx.js";
import type { TrafficCounts } from "../embedded-link.js";
import type { NetworkFaults, PacketDirection } from "../faults.js";
import type { NetworkTime } from "../network-time.js";
import type { Spool } from "../spool.js";
import type { NetworkNode, Topology } from "../topology.js";
import type { PacketQueue } from "./packet-queue.js";
import { type OpenedPacket, SphinxNode } from "./sphinx-node.js";

/** Longest delay at a hop, in epochs. */
const longestRestEpochs = 3;

/** How late a packet may leave a hop, in ms. */
const latestMs = 450;

/** What the mixes need. */
export interface SphinxMixesOptions {
  readonly clock: Clock;
  readonly time: NetworkTime;
  readonly geometry: Geometry;
  readonly topology: Topology;
  /** Rate of the delays, per ms. A delay longer than its cap is refused. */
  readonly mu: number;
  readonly faults: NetworkFaults;
  readonly packets: PacketQueue;
  readonly traffic: TrafficCounts;
  /** The spool of each gateway. */
  readonly spools: ReadonlyMap<NetworkNode, Spool>;
  /** See {@link Kindness.kindMixes}; false by default. */
  readonly kindMixes?: boolean | undefined;
  /** Gives a packet to its service; see `LinkSurroundings`. */
  readonly deliver: (packet: OutgoingPacket, reply: ((payload: Uint8Array) => void) | null) => void;
}

/** Called when a packet (`forward`) or its reply is lost or dropped on its way. */
export type OnLost = (way: PacketDirection) => void;

/** Which of the two a packet is, and who watches it. The nodes themselves do not know. */
interface Watched {
  readonly way: PacketDirection;
  readonly onLost: OnLost | undefined;
}

/** Nodes by identity hash in hex. */
type Layer = ReadonlyMap<string, SphinxNode>;

/** All nodes of a network, as packets see them. */
export class SphinxMixes {
  readonly #options: SphinxMixesOptions;
  readonly #sphinx: Sphinx;
  readonly #gateways: Layer;
  readonly #layers: readonly Layer[];
  readonly #serviceNodes: Layer;
  readonly #longestRestMs: number;

  constructor(options: SphinxMixesOptions) {
    const { geometry, topology, time, mu } = options;
    this.#options = options;
    this.#sphinx = new Sphinx(geometry);
    const layerOf = (nodes: readonly NetworkNode[]): Layer =>
      new Map(
        nodes.map((node) => [
          toHex(node.identityHash),
          new SphinxNode(node, this.#sphinx, () => time.epoch().current),
        ]),
      );
    this.#gateways = layerOf(topology.gateways);
    this.#layers = topology.layers.map(layerOf);
    this.#serviceNodes = layerOf(topology.serviceNodes);
    this.#longestRestMs = Math.min(longestRestEpochs * time.periodMs, samplingCap(mu));
  }

  /**
   * Handles a client's packet that reached a gateway. An invalid packet is dropped; only `onLost`
   * is told.
   */
  enter(gateway: NetworkNode, packet: Uint8Array, onLost?: OnLost): void {
    const { faults, traffic } = this.#options;
    const watched: Watched = { way: "forward", onLost };
    traffic.sent++;
    if (faults.takeLoss("forward")) {
      this.#lose(watched);
      return;
    }
    this.#orDrop(watched, () => {
      const opened = this.#gateways.get(toHex(gateway.identityHash))!.open(packet);
      this.#forward(opened, { layer: 0, watched, extraDelayMs: faults.extraDelayMs });
    });
  }

  #lose({ way, onLost }: Watched): void {
    this.#options.traffic.lost++;
    onLost?.(way);
  }

  /** Does what a packet asks for; drops a packet that asks for something forbidden. */
  #orDrop({ way, onLost }: Watched, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.traffic.dropped++;
      onLost?.(way);
    }
  }

  /**
   * Delays a packet, then passes it to a node of the next layer. After the last layer come the
   * service nodes and the gateways.
   */
  #forward(
    { told, packet }: OpenedPacket,
    {
      layer,
      watched,
      extraDelayMs = 0,
    }: { readonly layer: number; readonly watched: Watched; readonly extraDelayMs?: number },
  ): void {
    const { nextNodeHop, nodeDelay, recipient, surbReply } = told;
    if (nextNodeHop === null || nodeDelay === null || recipient !== null || surbReply !== null) {
      throw new ProtocolError("the packet must not be passed on");
    }
    const { delayMs } = nodeDelay;
    if (delayMs > this.#longestRestMs) {
      throw new ProtocolError(`the packet asks for a delay of ${delayMs} ms`);
    }
    // Looked up before the delay, so that packets with unknown destinations cannot fill the queue.
    const arrive = this.#arrival(toHex(nextNodeHop.id), layer, watched);
    const { clock, packets, kindMixes } = this.#options;
    const restMs = Math.max(1, delayMs) + extraDelayMs;
    const due = clock.monotonic() + restMs;
    const leave = (): void => {
      const lateMs = clock.monotonic() - due;
      if (lateMs > latestMs && kindMixes !== true) {
        throw new ProtocolError(`the packet would leave ${Math.round(lateMs)} ms late`);
      }
      arrive(packet!);
    };
    packets.add(restMs, () => this.#orDrop(watched, leave));
  }

  /** What happens when a packet reaches a node. @throws ProtocolError when it must not go there. */
  #arrival(id: string, layer: number, watched: Watched): (packet: Uint8Array) => void {
    const mixes = this.#layers[layer];
    if (mixes !== undefined) {
      const mix = mixes.get(id);
      if (mix !== undefined) {
        return (packet) => this.#forward(mix.open(packet), { layer: layer + 1, watched });
      }
    } else {
      const serviceNode = this.#serviceNodes.get(id);
      if (serviceNode !== undefined) return (packet) => this.#serve(serviceNode, packet, watched);
      const gateway = this.#gateways.get(id);
      if (gateway !== undefined) return (packet) => this.#fileReply(gateway, packet);
    }
    throw new ProtocolError("the packet's next hop is not in the next layer");
  }

  #serve(serviceNode: SphinxNode, packet: Uint8Array, { onLost }: Watched): void {
    const { clock, geometry, deliver } = this.#options;
    const { told, payload: block } = serviceNode.open(packet);
    const { nextNodeHop, recipient, surbReply, nodeDelay } = told;
    if (nextNodeHop !== null || recipient === null || surbReply !== null) {
      throw new ProtocolError("the packet is not for a service");
    }
    const { surb, payload } = decodeForwardPayload(geometry, block!);
    const holdUntil = clock.monotonic() + Math.min(nodeDelay?.delayMs ?? 0, this.#longestRestMs);
    const { identityHash: destination } = serviceNode.node;
    const reply =
      surb === null
        ? null
        : (answer: Uint8Array) => {
            const watched: Watched = { way: "reply", onLost };
            this.#orDrop(watched, () => this.#reply(surb, answer, { holdUntil, watched }));
          };
    deliver({ destination, recipient: recipient.id, payload, surbId: null }, reply);
  }

  #reply(
    surb: Uint8Array,
    answer: Uint8Array,
    { holdUntil, watched }: { readonly holdUntil: number; readonly watched: Watched },
  ): void {
    const { clock, faults, packets } = this.#options;
    const { packet, firstHop } = this.#sphinx.newPacketFromSurb(surb, answer);
    const arrive = this.#arrival(toHex(firstHop), 0, watched);
    if (faults.takeLoss("reply")) {
      this.#lose(watched);
      return;
    }
    const heldBackMs = Math.max(0, holdUntil - clock.monotonic());
    packets.add(heldBackMs + faults.extraDelayMs, () =>
      this.#orDrop(watched, () => arrive(packet)),
    );
  }

  #fileReply(gateway: SphinxNode, packet: Uint8Array): void {
    const { told, payload } = gateway.open(packet);
    const { nextNodeHop, recipient, surbReply, nodeDelay } = told;
    if (nextNodeHop !== null || recipient === null || surbReply === null || nodeDelay !== null) {
      // Some of these packets end upstream's gateway process; others block their client's queue.
      throw new ProtocolError("the packet at its gateway is not a reply");
    }
    const spool = this.#options.spools.get(gateway.node)!;
    spool.store(recipient.id, { surbId: surbReply.id, ciphertext: payload! });
  }
}
