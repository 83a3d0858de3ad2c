/** Makes packets for services from documents (spec/mixnet §6). */
import { type Bytes, type RandomSource, randomBytes } from "../bytes/bytes.js";
import type { IdentityHash } from "../bytes/opaque.js";
import { LinkError, type OutgoingPacket } from "./link.js";
import { type PathHop, type Route, chooseRoute, hopDelay } from "./path.js";
import type { PkiDocument } from "../pki/document.js";
import type { GeometryFields } from "../pki/geometry.js";
import { identityHash } from "../pki/services.js";
import { type RoutingCommand, recipientOf } from "../sphinx/commands.js";
import type { SphinxHop } from "../sphinx/path.js";
import { encodeForwardPayload } from "../sphinx/payload.js";
import { Sphinx } from "../sphinx/sphinx.js";

/** What the route of a packet depends on. */
export interface Surroundings {
  readonly document: PkiDocument;
  /** The gateway that we are connected to. */
  readonly gateway: IdentityHash;
  /** Our queue there, 32 bytes. */
  readonly queueId: Uint8Array;
  /** Returns the epoch in `ms` milliseconds. */
  readonly epochIn: (ms: number) => number;
  /** Length of an epoch, in ms. */
  readonly periodMs: number;
}

/** A packet ready to leave. */
export interface ComposedPacket {
  readonly packet: Bytes;
  /** The keys that open the reply; null without a reply block. Secret. */
  readonly surbKeys: Bytes | null;
  /** The planned round-trip time, in ms; 0 without a reply block. */
  readonly replyEtaMs: number;
  /** The route of the packet and its reply. Nobody else knows it. */
  readonly route: Route;
}

/** Chooses routes and makes packets and reply blocks. */
export class Composer {
  readonly geometry: GeometryFields;
  readonly #sphinx: Sphinx;
  readonly #random: RandomSource;

  /** @throws RangeError for a geometry whose packets cannot be made here. */
  constructor(geometry: GeometryFields, random: RandomSource = randomBytes) {
    this.geometry = geometry;
    this.#random = random;
    this.#sphinx = new Sphinx(geometry, { random });
  }

  /**
   * Makes a packet on its own route, with random delays.
   * @throws LinkError when no route can be found, or the packet does not fit.
   */
  compose(packet: OutgoingPacket, around: Surroundings): ComposedPacket {
    const { document, gateway, epochIn, periodMs } = around;
    const { recipient, payload, surbId, destination } = packet;
    const { nrHops, userForwardPayloadLength } = this.geometry;
    if (recipient.length < 1 || recipient.length > 32) {
      throw new LinkError(
        `client: invalid recipient: must be 1 to 32 bytes, got ${recipient.length}`,
      );
    }
    if (payload.length > userForwardPayloadLength) {
      throw new LinkError(`message too large: ${payload.length} > ${userForwardPayloadLength}`);
    }
    if (document.topology.length + 2 > nrHops) {
      throw new LinkError(
        `${document.topology.length} layers of mixes are too many for packets of ${nrHops} hops`,
      );
    }
    const route = chooseRoute({
      document,
      gateway,
      destination,
      wantsReply: surbId !== null,
      random: this.#random,
      delay: () => hopDelay(this.#random, document.mu),
      epochIn,
      periodMs,
    });
    try {
      return this.#make(packet, route, around);
    } catch (cause) {
      // An invalid key in the document; only a majority of authorities could put it there.
      if (!(cause instanceof RangeError)) throw cause;
      throw new LinkError(`client/conn: failed to compose a packet: ${cause.message}`);
    }
  }

  #make({ recipient, payload, surbId }: OutgoingPacket, route: Route, around: Surroundings) {
    const { epochIn } = around;
    const service: RoutingCommand[] = [recipientOf(recipient)];
    if (surbId !== null) service.unshift({ type: "NodeDelay", delayMs: route.serviceMs });
    const there = hopsOf(route.forward, 0, epochIn, service);
    let surb: Bytes | null = null;
    let surbKeys: Bytes | null = null;
    if (surbId !== null) {
      const home: RoutingCommand[] = [
        recipientOf(around.queueId),
        { type: "SURBReply", id: surbId },
      ];
      const back = hopsOf(route.reply, route.forwardMs + route.serviceMs, epochIn, home);
      ({ surb, keys: surbKeys } = this.#sphinx.newSurb(back));
    }
    const block = encodeForwardPayload(this.geometry, surb, payload);
    const replyEtaMs = surbId === null ? 0 : route.forwardMs + route.serviceMs + route.replyMs;
    return { packet: this.#sphinx.newPacket(there, block), surbKeys, replyEtaMs, route };
  }

  /** Opens a reply. @throws ProtocolError when it is not the reply to that block. */
  open(ciphertext: Uint8Array, surbKeys: Uint8Array): Bytes {
    return this.#sphinx.decryptSurbPayload(ciphertext, surbKeys);
  }
}

/**
 * The hops of a route for Sphinx: each hop's key is that of the epoch in which the packet arrives
 * there.
 */
function hopsOf(
  way: readonly PathHop[],
  fromMs: number,
  epochIn: (ms: number) => number,
  last: readonly RoutingCommand[],
): SphinxHop[] {
  let elapsed = fromMs;
  return way.map(({ node, delayMs }, i) => {
    const epoch = epochIn(elapsed);
    const publicKey = node.mixKeys.get(epoch);
    if (publicKey === undefined) throw new LinkError(`${node.name} has no key for epoch ${epoch}`);
    elapsed += delayMs;
    const commands: readonly RoutingCommand[] =
      i < way.length - 1 ? [{ type: "NodeDelay", delayMs }] : last;
    return { id: identityHash(node.identityKey), publicKey, commands };
  });
}
