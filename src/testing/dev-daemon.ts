/**
 * The embedded development daemon: a whole network and a daemon in one process, behind the real
 * protocol on real sockets. It gives no anonymity.
 */
import { realClock } from "../clock/real.js";
import { PKI_SIGNATURE_SCHEME, WIRE_KEM_SCHEME } from "../network/authority/authority.js";
import { EmbeddedDaemon, type EmbeddedDaemonOptions } from "../network/embedded-daemon.js";
import { encodePublicKeyPem } from "../pki/pem.js";
import type { WsRefusal } from "../platform/node-listen.js";
import { parseAddress } from "../transport/address.js";
import { DialConfig } from "../transport/dial-config.js";
import { DataDirectory } from "./data-directory.js";
import { checkAddresses, checkDevDaemonOptions } from "./dev-daemon-options.js";
import { warnOfFaults } from "./fault-warnings.js";
import { Ports } from "./ports.js";

/** What an embedded daemon is started with. */
export interface DevDaemonOptions extends Omit<EmbeddedDaemonOptions, "store"> {
  /**
   * Where to listen: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT` (port 0: a free one) or
   * `ws://HOST:PORT`; one or several. None: only in-memory connections, see {@link DevDaemon.dial}.
   */
  readonly listen?: string | readonly string[] | undefined;
  /** As in `EmbeddedDaemonOptions`; with `gateway` the default is `sphinx`. */
  readonly mixing?: EmbeddedDaemonOptions["mixing"];
  /** Whether others than this machine may connect; default false. */
  readonly allowRemote?: boolean | undefined;
  /** Origins of web pages that may connect by WebSocket; each needs the token too. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** What web pages must offer as sub-protocol. */
  readonly token?: string | undefined;
  /** Hears of WebSocket handshakes that are refused, and why: browsers keep that from pages. */
  readonly onRefusal?: ((refusal: WsRefusal) => void) | undefined;
  /**
   * Where boxes, keys and acknowledged envelopes are kept over the end of the process, `kill -9`
   * included; in memory only without it. A new directory takes `seed`, an old one keeps its own; so
   * it does with `replicas`, `couriers`, `nike`, `userForwardPayloadLength` and `epochMs`, of which
   * other values are refused. Takes the package `classic-level`.
   */
  readonly dataDirectory?: string | undefined;
  /**
   * Where the network's gateway serves clients from outside, e.g. `tcp:127.0.0.1:0` (port 0: a free
   * one): daemons of ours or upstream's join the network there, see {@link DevDaemon.gateway}. The
   * address stands in the documents, so it must be one that can be dialled. Not with `instant`
   * mixing. Without it the gateway has no port.
   */
  readonly gateway?: string | undefined;
  /**
   * Port of the first authority on 127.0.0.1, the others follow it; 0: free ones. They answer
   * there, as real ones do, who asks for the signed document of an epoch. Without it they have no
   * port.
   */
  readonly authorityPort?: number | undefined;
  /**
   * Hears of failures inside and of damage on the disk, never of contents. Without it what nobody
   * foresaw is a warning of the process (`DevDaemonFault`), once for each text.
   */
  readonly onFault?: ((error: Error) => void) | undefined;
}

/** What clients of a network must know of a gateway before they dial it. */
export interface GatewayIdentity {
  /** The name that it has in documents. */
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

/** A running embedded network with its daemon, which listens and keeps files. */
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
   * Starts network and daemon; resolves when it listens everywhere.
   * @throws ConfigError, RangeError, TypeError for invalid options; nothing runs then, and
   * nothing was opened.
   */
  static override async start(options: DevDaemonOptions = {}): Promise<DevDaemon> {
    checkDevDaemonOptions(options);
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

  /** Where it listens, with the real ports. */
  get addresses(): readonly string[] {
    return this.#ports.addresses;
  }

  /**
   * What a client of the network, a daemon, must know of its gateway: what stands in its
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

  /** A client's configuration for the address of that number. */
  config(index = 0): {
    /** The way to that address, with the token where one is asked for. */
    readonly dial: DialConfig;
  } {
    const address = this.addresses[index];
    if (address === undefined) {
      throw new RangeError(
        `\`index\` must be below ${this.addresses.length}, the number of addresses, got ${index}`,
      );
    }
    const parsed = parseAddress(address);
    const token = parsed.kind === "ws" ? this.#token : undefined;
    return { dial: DialConfig.fromAddress(parsed, token) };
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
