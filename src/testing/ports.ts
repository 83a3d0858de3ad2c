/** All listeners of an embedded network and its daemon. */
import type { Clock } from "../clock/clock.js";
import type { PublishedDocument } from "../network/directory.js";
import type { EmbeddedNetwork } from "../network/network.js";
import { listen } from "../platform/node-listen.js";
import { parseAddress } from "../transport/address.js";
import type { Listener } from "../transport/transport.js";
import { AuthorityPort } from "./authority-port.js";
import type { DevDaemonOptions } from "./dev-daemon.js";
import {
  gatewayAddress,
  gatewayListenOptions,
  listenAddresses,
  listenOptions,
} from "./dev-daemon-options.js";
import { GatewayPort } from "./gateway-port.js";

/** The daemon's addresses, the gateway's port, and those of the authorities. */
export class Ports {
  readonly #options: DevDaemonOptions;
  readonly #clock: Clock;
  #addresses: readonly string[];
  readonly #authorityListeners: Listener[] = [];
  readonly #authorityPorts: AuthorityPort[] = [];
  #gatewayPort: GatewayPort | null = null;
  #gatewayListener: Listener | null = null;

  constructor(options: DevDaemonOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#addresses = listenAddresses(options);
  }

  /** The addresses where the daemon listens; with the real ports once it has started. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Whether the gateway serves clients from outside. */
  get hasGateway(): boolean {
    return this.#gatewayPort !== null;
  }

  /** Listens for the daemon: first on the addresses in the options, later on the same addresses. */
  async listen(): Promise<readonly Listener[]> {
    const listeners: Listener[] = [];
    try {
      for (const text of this.#addresses) {
        const address = parseAddress(text);
        listeners.push(await listen(address, listenOptions(this.#options, address)));
      }
    } catch (error) {
      await Promise.all(listeners.map((listener) => listener.close()));
      throw error;
    }
    this.#addresses = listeners.map((listener) => listener.address);
    return listeners;
  }

  /** Binds the gateway's address. It serves clients once there are documents that list it. */
  async bindGateway(network: EmbeddedNetwork, text: string): Promise<void> {
    const address = gatewayAddress(text);
    this.#gatewayListener = await listen(address, gatewayListenOptions(this.#options));
    const gateway = network.gateways[0]!;
    this.#gatewayPort = new GatewayPort({ clock: this.#clock, network, gateway });
    const url = this.#gatewayListener.address.replace(/^tcp[46]?:/, "tcp://");
    gateway.serveAt(url, this.#gatewayPort);
  }

  /** Starts to serve clients at the gateway. */
  openGateway(): void {
    if (this.#gatewayListener) this.#gatewayPort!.open(this.#gatewayListener);
  }

  /** Call this for each document that is published. */
  documentPublished(document: PublishedDocument): void {
    this.#gatewayPort?.documentPublished(document);
  }

  /** Opens a port for each authority. */
  async openAuthorities(network: EmbeddedNetwork, firstPort: number): Promise<void> {
    for (const [i, authority] of network.authorityKeys.entries()) {
      const port = firstPort === 0 ? 0 : firstPort + i;
      const listener = await listen({ kind: "tcp", host: "127.0.0.1", port, network: "tcp" });
      this.#authorityListeners.push(listener);
      const serving = new AuthorityPort({
        clock: this.#clock,
        linkKeys: authority.linkKeys,
        identityKey: authority.identityKey,
        documents: () => network.documents(),
      });
      this.#authorityPorts.push(serving);
      serving.open(listener);
      authority.identity.addresses.splice(0, 1, listener.address.replace(/^tcp:/, "tcp://"));
    }
  }

  /** Closes the network's ports; the daemon closes its own listeners. */
  async close(): Promise<void> {
    await Promise.all(this.#authorityListeners.map((listener) => listener.close()));
    for (const port of this.#authorityPorts) port.close();
    await this.#gatewayListener?.close();
    this.#gatewayPort?.close();
  }
}
