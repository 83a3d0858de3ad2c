/** A gateway of the embedded network as its port sees it. */
import type { SphinxMixes } from "./mix/sphinx-mixes.js";
import type { Spool } from "./spool.js";
import type { NetworkNode } from "./topology.js";

/** What serves clients at a gateway's port. */
export interface GatewayServer {
  /** The gateway became reachable or unreachable; then it disconnects everybody. */
  reachabilityChanged(online: boolean): void;
  /** How many clients are connected. */
  readonly clients: number;
}

/** A gateway: where clients' packets come in, and where their replies wait for them. */
export class NetworkGateway {
  /** The node that it is. */
  readonly node: NetworkNode;
  /** Replies that wait for their clients. */
  readonly spool: Spool;
  readonly #mixes: SphinxMixes;
  #server: GatewayServer | null = null;

  constructor(node: NetworkNode, spool: Spool, mixes: SphinxMixes) {
    this.node = node;
    this.spool = spool;
    this.#mixes = mixes;
  }

  /** Who serves clients from outside the process; null when nobody does. */
  get server(): GatewayServer | null {
    return this.#server;
  }

  /** Takes a client's packet, of the geometry's length. It may just disappear, like any packet. */
  enter(packet: Uint8Array): void {
    this.#mixes.enter(this.node, packet);
  }

  /**
   * The gateway is to be listed with an address, a URL, under which `server` serves clients. Before
   * the network starts: documents that were made do not change.
   */
  serveAt(address: string, server: GatewayServer): void {
    this.node.address = address;
    this.#server = server;
  }
}
