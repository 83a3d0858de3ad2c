/** Services on service nodes, and where each one is. */
import { toHex, utf8 } from "../../bytes/bytes.js";
import type { NetworkNode } from "../topology.js";

/** A packet as a service receives it. */
export interface ServiceRequest {
  /** Always UserForwardPayloadLength bytes: the sent payload, then zeros. */
  readonly payload: Uint8Array;
  /** Whether the packet has a reply block; without one a reply is discarded. */
  readonly wantsReply: boolean;
}

/** A service on a node. */
export interface Kaetzchen {
  /** The name by which clients look it up, e.g. `echo`. */
  readonly capability: string;
  /** The name by which packets reach it on its node, 1 to 32 bytes, e.g. `+echo`. */
  readonly endpoint: string;
  /**
   * Handles a packet. The result, at most ForwardPayloadLength bytes, goes back through the reply
   * block; null means no reply.
   */
  handle(request: ServiceRequest): Promise<Uint8Array | null> | Uint8Array | null;
}

/** The services of each node. */
export class ServiceRegistry {
  readonly #byNode = new Map<NetworkNode, Map<string, Kaetzchen>>();

  /**
   * Puts a service on a node.
   * @throws RangeError when its names are empty, too long, or already used on that node.
   */
  attach(node: NetworkNode, service: Kaetzchen): void {
    const length = utf8(service.endpoint).length;
    if (service.capability === "" || length < 1 || length > 32) {
      throw new RangeError(
        "`kaetzchen` must have a capability, and an endpoint of 1 to 32 bytes, got " +
          `${JSON.stringify(service.capability)} and ${length} bytes`,
      );
    }
    const services = this.#byNode.get(node) ?? new Map<string, Kaetzchen>();
    const key = endpointKey(utf8(service.endpoint));
    const taken = [...services.values()].some((s) => s.capability === service.capability);
    if (services.has(key) || taken) {
      throw new RangeError(
        `\`kaetzchen\` must be new on ${node.name}, got another ${service.capability}`,
      );
    }
    services.set(key, service);
    this.#byNode.set(node, services);
  }

  /** The service of a node that a packet is addressed to; undefined if there is none. */
  find(node: NetworkNode, recipient: Uint8Array): Kaetzchen | undefined {
    return this.#byNode.get(node)?.get(endpointKey(recipient));
  }

  /** A node's services, from capability to endpoint, in the order in which they were attached. */
  endpoints(node: NetworkNode): ReadonlyMap<string, string> {
    const services = [...(this.#byNode.get(node)?.values() ?? [])];
    return new Map(services.map((service) => [service.capability, service.endpoint]));
  }
}

/** Recipients are padded with zeros to 32 bytes in packets (spec/mixnet §4.4). */
function endpointKey(recipient: Uint8Array): string {
  return toHex(recipient).replace(/(?:00)+$/, "");
}
