/**
 * The embedded development daemon: a whole network and a daemon in one process, with the real
 * protocol on real sockets. It gives no anonymity.
 */
import { realClock } from "../clock/real.js";
import { PKI_SIGNATURE_SCHEME, WIRE_KEM_SCHEME } from "../network/authority/authority.js";
import { EmbeddedDaemon, type EmbeddedDaemonOptions } from "../network/embedded-daemon.js";
import { ownSeed } from "../network/random.js";
import { encodePublicKeyPem } from "../pki/pem.js";
import type { WsRefusal } from "../platform/node-listen.js";
import { type DialConfig, dialConfigAt } from "../transport/dial-config.js";
import { DataDirectory } from "./data-directory.js";
import { checkAddresses, checkDevDaemonOptions } from "./dev-daemon-options.js";
import { warnOfFaults } from "./fault-warnings.js";
import { Ports } from "./ports.js";

/** Options of an embedded daemon. */
export interface DevDaemonOptions extends Omit<EmbeddedDaemonOptions, "store"> {
  /**
   * Where to listen: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT` (port 0: a free one) or
   * `ws://HOST:PORT`; one address or several. Without any, only in-memory connections are possible:
   * see {@link DevDaemon.dial}.
   */
  readonly listen?: string | readonly string[] | undefined;
  /** See `EmbeddedDaemonOptions`; with `gateway` the default is `sphinx`. */
  readonly mixing?: EmbeddedDaemonOptions["mixing"];
  /** Whether other machines may connect; default false. By WebSocket they need the token. */
  readonly allowRemote?: boolean | undefined;
  /** Origins of web pages that may connect by WebSocket; each page also needs the token. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /**
   * The secret that WebSocket clients must send as their token: web pages always, other programs on
   * an address that other machines can reach.
   */
  readonly token?: string | undefined;
  /**
   * Called for each refused WebSocket handshake, with the reason, which browsers hide from pages.
   */
  readonly onRefusal?: ((refusal: WsRefusal) => void) | undefined;
  /**
   * Where boxes, keys and acknowledged envelopes are kept so that they survive the process, even
   * after `kill -9`; by default they are only in memory. A new directory takes `seed`; an existing
   * one keeps its own. An existing directory also keeps `replicas`, `couriers`, `nike`,
   * `userForwardPayloadLength` and `epochMs`, and other values are refused. It needs the package
   * `classic-level`.
   */
  readonly dataDirectory?: string | undefined;
  /**
   * Where the network's gateway serves clients from outside, e.g. `tcp:127.0.0.1:0` (port 0: a free
   * one). Our daemons or upstream's join the network there: see {@link DevDaemon.gateway}. The
   * documents contain the address, so clients must be able to dial it. Not possible with `instant`
   * mixing. Without it the gateway has no port.
   */
  readonly gateway?: string | undefined;
  /**
   * Port of the first authority on 127.0.0.1; the other authorities use the ports after it; 0: free
   * ones. Like real authorities they answer requests for the signed document of an epoch. Without
   * it they have no ports.
   */
  readonly authorityPort?: number | undefined;
  /**
   * Called for internal failures and for damage on disk, never with contents. Without it an
   * unexpected fault becomes a process warning (`DevDaemonFault`), once for each text.
   */
  readonly onFault?: ((error: Error) => void) | undefined;
}

/** What clients of a network must know about a gateway before they dial it. */
export interface GatewayIdentity {
  /** Its name in documents. */
  readonly name: string;
  /** URLs, e.g. `tcp://127.0.0.1:30004`. */
  readonly addresses: readonly string[];
  /** Scheme of the identity key: `Ed25519`. */
  readonly pkiSignatureScheme: string;
  /** Scheme of the link key: `x25519`. */
  readonly wireKemScheme: string;
  /** PEM of the 32 raw bytes: `ED25519 PUBLIC KEY` (spec/mixnet §3.2). */
  readonly identityPublicKeyPem: string;
  /** PEM of the 32 raw bytes: `X25519 PUBLIC KEY`. */
  readonly linkPublicKeyPem: string;
}

/** A running embedded network with its daemon, its listeners and its files. */
export class DevDaemon extends EmbeddedDaemon {
  readonly #token: string | undefined;
  readonly #ports: Ports;

  private constructor(options: DevDaemonOptions, data: DataDirectory | null) {
    const ports = new Ports(options, options.clock ?? realClock);
    super(options, {
      kept: data ?? undefined,
      listen: () => ports.listen(),
      onDocument: (document) => ports.documentPublished(document),
    });
    this.#token = options.token;
    this.#ports = ports;
  }

  /**
   * Starts the network and the daemon; resolves when it listens on all addresses.
   * @throws ConfigError, RangeError, TypeError for invalid options; then nothing was opened.
   * ConfigError when an address is in use, or the data directory cannot be used or was made with
   * other options; then nothing runs any more.
   */
  static override async start(options: DevDaemonOptions = {}): Promise<DevDaemon> {
    checkDevDaemonOptions(options);
    options = { ...options, seed: ownSeed(options.seed) };
    await checkAddresses(options);
    const { gateway, authorityPort } = options;
    const mixing = options.mixing ?? (gateway === undefined ? "instant" : "sphinx");
    const onFault = options.onFault ?? warnOfFaults();
    const data = await DataDirectory.from({ ...options, onFault });
    let running: DevDaemon;
    try {
      running = new DevDaemon({ ...options, ...data?.shape, mixing, onFault }, data);
    } catch (error) {
      await data?.close();
      throw error;
    }
    try {
      const ports = running.#ports;
      if (gateway !== undefined) await ports.bindGateway(running.network, gateway);
      await running.network.start();
      ports.openGateway();
      if (authorityPort !== undefined) await ports.openAuthorities(running.network, authorityPort);
      await running.begin();
    } catch (error) {
      await running.close();
      throw error;
    }
    return running;
  }

  /** The addresses where it listens, with the real ports. */
  get addresses(): readonly string[] {
    return this.#ports.addresses;
  }

  /**
   * What a client of the network (a daemon) must know about its gateway: the content of its
   * `client.toml`. Null without a port.
   */
  get gateway(): GatewayIdentity | null {
    if (!this.#ports.hasGateway) return null;
    const { name, identityKey, linkKey, address } = this.network.gateways[0]!.node;
    return {
      name,
      addresses: [address],
      pkiSignatureScheme: PKI_SIGNATURE_SCHEME,
      wireKemScheme: WIRE_KEM_SCHEME,
      identityPublicKeyPem: encodePublicKeyPem(PKI_SIGNATURE_SCHEME, identityKey),
      linkPublicKeyPem: encodePublicKeyPem(WIRE_KEM_SCHEME, linkKey),
    };
  }

  /**
   * A client's configuration for the address with that index in {@link addresses}; if the daemon
   * listens on none, for an in-memory connection.
   * @throws RangeError when `index` is not that of an address.
   */
  override config(index = 0): {
    /** How to dial that address, with the token if one is required. */
    readonly dial: DialConfig;
  } {
    if (this.addresses.length === 0 && index === 0) return super.config();
    return { dial: dialConfigAt(this.addresses, index, this.#token) };
  }

  /** @internal Also closes the ports. */
  protected override async end(): Promise<void> {
    try {
      await super.end();
    } finally {
      await this.#ports.close();
    }
  }
}
