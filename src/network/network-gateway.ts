/** A gateway of the embedded network, as its port sees it. */
import type { OnLost, SphinxMixes } from "./mix/sphinx-mixes.js";
import type { Spool } from "./spool.js";
import type { NetworkNode } from "./topology.js";

/** Serves clients at a gateway's port. */
export interface GatewayServer {
  /** Called when the gateway becomes reachable or unreachable; then it disconnects everybody. */
  reachabilityChanged(online: boolean): void;
  /** How many clients are connected. */
  readonly clients: number;
}

/** A gateway: where clients' packets enter, and where replies wait for the clients. */
export class NetworkGateway {
  /** The gateway in the topology, with its keys and address. */
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

  /** The server for clients outside the process; null if there is none. */
  get server(): GatewayServer | null {
    return this.#server;
  }

  /**
   * Takes a client's packet, which has the geometry's length. Like any packet it may disappear;
   * then `onLost` is called. A real network cannot report that.
   */
  enter(packet: Uint8Array, onLost?: OnLost): void {
    this.#mixes.enter(this.node, packet, onLost);
  }

  /**
   * Lists the gateway with an address, a URL, under which `server` serves clients. Call it before
   * the network starts: finished documents do not change.
   */
  serveAt(address: string, server: GatewayServer): void {
    this.node.address = address;
    this.#server = server;
  }
}
