/**
 * The embedded development daemon: a whole network and a daemon in one process, behind the real
 * protocol on real sockets. It gives no anonymity.
 */
import { checkOptions } from "../bytes/options.js";
import { type Bytes, type RandomSource, randomBytes } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { type PigeonholeSizes, pigeonholeSizesOf } from "../pki/pigeonhole-sizes.js";
import { Daemon } from "../daemon/daemon.js";
import { ConfigError, InvalidStateError } from "../errors/errors.js";
import { type Kindness, kindnesses } from "../mixnet/kindness.js";
import { type Timing, instantTiming, slowInstantTiming, upstreamTiming } from "../mixnet/timing.js";
import { PKI_SIGNATURE_SCHEME, WIRE_KEM_SCHEME } from "../network/authority/authority.js";
import type { Mixing } from "../network/embedded-link.js";
import { EmbeddedNetwork, type EmbeddedNetworkOptions } from "../network/network.js";
import { type Rates, networkNumbers } from "../network/parameters.js";
import { derive, derivedRandom, seedBytes } from "../network/random.js";
import { StorageNetwork } from "../network/storage-network.js";
import { Geometry } from "../pki/geometry.js";
import { encodePublicKeyPem } from "../pki/pem.js";
import { PigeonholeGeometry } from "../pki/pigeonhole-geometry.js";
import { type WsRefusal, listen } from "../platform/node-listen.js";
import { epochAt, replicaEpoch } from "../pki/epoch.js";
import { type Address, parseAddress } from "../transport/address.js";
import { DialConfig } from "../transport/dial-config.js";
import { memoryPair } from "../transport/memory.js";
import type { Listener, Transport } from "../transport/transport.js";
import { AuthorityPort } from "./authority-port.js";
import { DataDirectory, usualPayloadLength } from "./data-directory.js";
import { checkDevDaemonOptions } from "./dev-daemon-options.js";
import { warnOfFaults } from "./fault-warnings.js";
import { GatewayPort } from "./gateway-port.js";
import { NikeSchemes } from "./nike-schemes.js";
import { documentInForce } from "../mixnet/link.js";

/** What an embedded daemon is started with. */
export interface DevDaemonOptions extends Partial<Rates>, Kindness {
  /**
   * Where to listen: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT` (port 0: a free one) or
   * `ws://HOST:PORT`; one or several. None: only in-memory connections, see {@link DevDaemon.dial}.
   */
  readonly listen?: string | readonly string[] | undefined;
  /** Same seed, same keys, paths, delays and losses; different each time without one. */
  readonly seed?: string | Uint8Array | undefined;
  /** What everything waits by; the platform's clock by default, a virtual one in tests. */
  readonly clock?: Clock | undefined;
  /**
   * `instant` (default): packets take no time, retries keep a pace. `realistic`: delays, rates and
   * waits of a development network. `sphinx` (default with `gateway`): the same, and packets are
   * real ones, sealed in layers that hop after hop takes off.
   */
  readonly mixing?: Mixing | undefined;
  /** Waits to change; the rest is as `mixing` says. */
  readonly timing?: Partial<Timing> | undefined;
  /** Length of an epoch in milliseconds; 20 minutes by default. */
  readonly epochMs?: number | undefined;
  /** Service nodes with a courier; 3 by default. */
  readonly couriers?: number | undefined;
  /** Storage replicas; 5 by default. */
  readonly replicas?: number | undefined;
  /** Mixes in each of the three layers, 1 to 100; 2 by default. */
  readonly mixesPerLayer?: number | undefined;
  /**
   * Key exchange of the storage: `x25519` (default), or `CTIDH1024-X25519` as on upstream's
   * networks, where each envelope takes seconds.
   */
  readonly nike?: "x25519" | "CTIDH1024-X25519" | undefined;
  /**
   * Bytes a packet carries; the default (1,872, or 2,000 with CTIDH) makes boxes of 1,549 bytes.
   */
  readonly userForwardPayloadLength?: number | undefined;
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

/** A running embedded network with its daemon. */
export class DevDaemon implements AsyncDisposable {
  /** The network behind the daemon, with its fault controls. */
  readonly network: EmbeddedNetwork;
  /** Its couriers and storage replicas, with their fault controls. */
  readonly storage: StorageNetwork;
  /** What everything here waits by. */
  readonly clock: Clock;
  readonly #options: DevDaemonOptions;
  readonly #schemes: NikeSchemes;
  readonly #pigeonholeGeometry: PigeonholeGeometry;
  readonly #sizes: PigeonholeSizes;
  readonly #timing: Timing;
  readonly #random: RandomSource;
  readonly #data: DataDirectory | null;
  #daemon: Daemon | null = null;
  #addresses: readonly string[] = [];
  #instanceToken: Bytes | null = null;
  readonly #authorityListeners: Listener[] = [];
  readonly #authorityPorts: AuthorityPort[] = [];
  #gatewayPort: GatewayPort | null = null;
  #gatewayListener: Listener | null = null;
  #closed = false;
  /** What starts and ends the daemon goes on one after the other. */
  #work: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #alive: Timer | null = null;

  private constructor(options: DevDaemonOptions, data: DataDirectory | null) {
    const nike = options.nike ?? "x25519";
    this.#options = options;
    this.clock = options.clock ?? realClock;
    this.#schemes = new NikeSchemes(this.clock);
    this.#timing = {
      ...timingFor(options.mixing ?? "instant", nike),
      ...options.timing,
    };
    const seed = data?.seed ?? seedBytes(options.seed);
    this.#data = data;
    // What is kept was sealed with keys and nonces drawn before: they must not be drawn again.
    const random = (label: string): RandomSource =>
      data ? randomBytes : derivedRandom(seed, label);
    this.#random = random("daemon");
    const scheme = this.#schemes.named(nike);
    this.network = new EmbeddedNetwork({
      ...networkOptions(options),
      seed,
      genesisEpoch: data ? epochAt(data.bornMs, options.epochMs).epoch : undefined,
      clock: this.clock,
      userForwardPayloadLength: options.userForwardPayloadLength ?? usualPayloadLength(nike),
      envelopeKeys: {
        publicKeys: (replicaId, epochs) => this.storage.publicKeys(replicaId, epochs),
      },
      onDocument: (document) => {
        this.storage.documentChanged();
        this.#gatewayPort?.documentPublished(document);
      },
    });
    this.#pigeonholeGeometry = PigeonholeGeometry.fromSphinx(this.network.geometry, nike);
    this.#sizes = pigeonholeSizesOf(this.#pigeonholeGeometry);
    this.storage = new StorageNetwork({
      clock: this.clock,
      random: random("storage"),
      timing: this.#timing,
      scheme,
      sizes: this.#sizes,
      replicas: this.network.replicas,
      courierCount: this.network.serviceNodes.length,
      keySeed: derive(seed, "envelope keys"),
      paced: (options.mixing ?? "instant") !== "instant",
      kindCouriers: options.kindCouriers,
      onFault: options.onFault,
      ...(data
        ? {
            storeFor: ({ replicaId }) => data.stores[replicaId]!,
            logFor: (place) => data.logs[place]!,
          }
        : {}),
      replicaEpoch: () => replicaEpoch(this.network.currentEpoch, this.network.epoch().periodMs),
      document: () => {
        const { currentEpoch } = this.network;
        const documents = this.network.documents();
        const of = (epoch: number) => documents.find((document) => document.epoch === epoch);
        return documentInForce(of, currentEpoch)?.decoded ?? null;
      },
    });
    for (const [place, courier] of this.storage.couriers.entries()) {
      this.network.attach(place, courier);
    }
  }

  /**
   * Starts network and daemon; resolves when it listens everywhere.
   * @throws ConfigError, RangeError, TypeError for invalid options; nothing runs then, and
   * nothing was opened.
   */
  static async start(options: DevDaemonOptions = {}): Promise<DevDaemon> {
    checkDevDaemonOptions(options);
    const { nike = "x25519", userForwardPayloadLength = usualPayloadLength(nike) } = options;
    const mixing = options.mixing ?? (options.gateway === undefined ? "instant" : "sphinx");
    const numbers = { ...networkOptions(options), userForwardPayloadLength, envelopeKeys: true };
    const { nrHops } = networkNumbers(numbers);
    const geometry = Geometry.forNike({ nike: "x25519", nrHops, userForwardPayloadLength });
    pigeonholeSizesOf(PigeonholeGeometry.fromSphinx(geometry, nike));
    for (const address of listenAddresses(options)) parseAddress(address);
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
      await running.storage.start();
      if (options.gateway !== undefined) await running.#bindGateway(options.gateway);
      await running.network.start();
      if (running.#gatewayListener) running.#gatewayPort!.open(running.#gatewayListener);
      if (options.authorityPort !== undefined)
        await running.#openAuthorities(options.authorityPort);
      await running.#startDaemon(listenAddresses(options));
    } catch (error) {
      await running.close();
      throw error;
    }
    running.#stayAlive();
    return running;
  }

  /** Where it listens, with the real ports. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /**
   * What a client of the network, a daemon, must know of its gateway: what stands in its
   * `client.toml`. Null without a port.
   */
  get gateway(): GatewayIdentity | null {
    if (this.#gatewayPort === null) return null;
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
   * What clients talk to: tells its load, disconnects them, forgets sessions.
   * @throws InvalidStateError between {@link crash} and {@link restart}.
   */
  get daemon(): Daemon {
    if (this.#daemon) return this.#daemon;
    throw new InvalidStateError("the embedded daemon is not running: restart() it");
  }

  /** Whether the daemon runs. */
  get isRunning(): boolean {
    return this.#daemon !== null;
  }

  /** A client's configuration for the address of that number. */
  config(index = 0): {
    /** The way to that address, with the token where one is asked for. */
    readonly dial: DialConfig;
  } {
    const address = this.#addresses[index];
    if (address === undefined) {
      throw new RangeError(
        `\`index\` must be below ${this.#addresses.length}, the number of addresses, got ${index}`,
      );
    }
    const parsed = parseAddress(address);
    const { token } = this.#options;
    return { dial: DialConfig.fromAddress(parsed, parsed.kind === "ws" ? token : undefined) };
  }

  /** A connection inside this process; fits a client's `dial` option. */
  readonly dial = async (): Promise<Transport> => {
    const [ours, theirs] = memoryPair();
    this.daemon.serve(ours);
    return theirs;
  };

  /** The daemon stops as if killed: connections reset, sessions forgotten. The network goes on. */
  crash(): Promise<void> {
    return this.#next(async () => {
      const daemon = this.#daemon;
      this.#daemon = null;
      await daemon?.crash();
    });
  }

  /** Runs a task after those before it, whether they failed or not. */
  #next(task: () => Promise<void>): Promise<void> {
    const done = this.#work.then(task);
    this.#work = done.catch(() => {});
    return done;
  }

  /**
   * Starts the daemon again at the same addresses; says good-bye first if it runs.
   * @throws (rejects) InvalidStateError when the network is closed before the daemon runs.
   */
  restart(
    options: {
      /** Whether it has another instance token, as another process has; true by default. */
      readonly newInstance?: boolean;
    } = {},
  ): Promise<void> {
    return this.#next(async () => {
      checkOptions("options", options, ["newInstance"]);
      this.#checkOpen();
      const daemon = this.#daemon;
      this.#daemon = null;
      await daemon?.close();
      if (options.newInstance ?? true) this.#instanceToken = null;
      this.#checkOpen();
      await this.#startDaemon(this.#addresses);
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new InvalidStateError("the embedded network is closed");
  }

  /** Stops daemon and network, also one that is being restarted. Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= this.#next(() => this.#close());
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#alive?.cancel();
    const daemon = this.#daemon;
    this.#daemon = null;
    try {
      await daemon?.close();
      await Promise.all(this.#authorityListeners.map((listener) => listener.close()));
      for (const port of this.#authorityPorts) port.close();
      await this.#gatewayListener?.close();
      this.#gatewayPort?.close();
      await this.network.close();
      await this.storage.close();
    } finally {
      // Whatever fails, the next one is to have the directory.
      await this.#data?.close();
      this.#schemes.close();
    }
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Keeps the process until it is closed, as a listener does. In-memory connections alone would
   * not, and all timers of the network are background ones.
   */
  #stayAlive(): void {
    if (this.clock === realClock) this.#alive = realClock.after(Infinity, () => {});
  }

  async #openAuthorities(firstPort: number): Promise<void> {
    for (const [i, authority] of this.network.authorityKeys.entries()) {
      const port = firstPort === 0 ? 0 : firstPort + i;
      const listener = await listen({ kind: "tcp", host: "127.0.0.1", port, network: "tcp" });
      this.#authorityListeners.push(listener);
      const serving = new AuthorityPort({
        clock: this.clock,
        linkKeys: authority.linkKeys,
        identityKey: authority.identityKey,
        documents: () => this.network.documents(),
      });
      this.#authorityPorts.push(serving);
      serving.open(listener);
      authority.identity.addresses.splice(0, 1, listener.address.replace(/^tcp:/, "tcp://"));
    }
  }

  /** Takes the gateway's address; it serves clients when there are documents that say so. */
  async #bindGateway(text: string): Promise<void> {
    const { allowRemote } = this.#options;
    const address = gatewayAddress(text);
    this.#gatewayListener = await listen(address, allowRemote === undefined ? {} : { allowRemote });
    const gateway = this.network.gateways[0]!;
    this.#gatewayPort = new GatewayPort({ clock: this.clock, network: this.network, gateway });
    const url = this.#gatewayListener.address.replace(/^tcp[46]?:/, "tcp://");
    gateway.serveAt(url, this.#gatewayPort);
  }

  async #startDaemon(addresses: readonly string[]): Promise<void> {
    const { nike = "x25519", onFault } = this.#options;
    const listeners: Listener[] = [];
    try {
      for (const address of addresses) listeners.push(await this.#listen(address));
    } catch (error) {
      await Promise.all(listeners.map((listener) => listener.close()));
      throw error;
    }
    const daemon = new Daemon({
      link: this.network.link(),
      clock: this.clock,
      timing: this.#timing,
      geometry: this.network.geometry,
      pigeonholeGeometry: this.#pigeonholeGeometry,
      sizes: this.#sizes,
      scheme: this.#schemes.named(nike),
      voucherScheme: this.#schemes.named("CTIDH1024-X25519"),
      authorities: this.network.authorities,
      ...kindnessOf(this.#options),
      random: this.#random,
      // Names a process, so that clients of one that was restarted start their work again: never
      // seeded.
      instanceToken: this.#instanceToken ?? randomBytes(16),
      onFault,
    });
    this.#instanceToken = daemon.instanceToken;
    this.#daemon = daemon;
    this.#addresses = listeners.map((listener) => listener.address);
    for (const listener of listeners) daemon.listen(listener);
  }

  #listen(text: string): Promise<Listener> {
    const address = parseAddress(text);
    const { allowRemote, allowedOrigins, token, onRefusal } = this.#options;
    const remote = allowRemote === undefined ? {} : { allowRemote };
    if (address.kind === "unix") return listen(address);
    if (address.kind === "tcp") return listen(address, remote);
    return listen(address, {
      ...remote,
      ...(allowedOrigins === undefined ? {} : { allowedOrigins }),
      ...(token === undefined ? {} : { token }),
      ...(onRefusal === undefined ? {} : { onRefusal }),
    });
  }
}

function timingFor(mixing: Mixing, nike: string): Timing {
  if (mixing !== "instant") return upstreamTiming;
  return nike === "x25519" ? instantTiming : slowInstantTiming;
}

/** @throws ConfigError when the address is not one that a gateway can be listed with. */
function gatewayAddress(text: string): Address & { readonly kind: "tcp" } {
  const address = parseAddress(text);
  if (address.kind !== "tcp") {
    throw new ConfigError(`a gateway listens on tcp:HOST:PORT, got ${text}`);
  }
  if (["0.0.0.0", "::"].includes(address.host)) {
    throw new ConfigError(
      `a gateway needs an address that clients can dial, got ${text}: name one of this machine's`,
    );
  }
  return address;
}

function listenAddresses(options: DevDaemonOptions): readonly string[] {
  const { listen: addresses = [] } = options;
  return typeof addresses === "string" ? [addresses] : addresses;
}

/** What of the options is kindness. */
function kindnessOf(options: DevDaemonOptions): Kindness {
  return Object.fromEntries(kindnesses.map((name) => [name, options[name] ?? false]));
}

/** What of a daemon's options is the network's. */
function networkOptions(options: DevDaemonOptions): Partial<EmbeddedNetworkOptions> {
  const { mixing, epochMs, couriers, replicas, mixesPerLayer, onFault } = options;
  const { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR } = options;
  const rates = { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR };
  const given = { mixing, epochMs, couriers, replicas, mixesPerLayer, onFault, ...rates };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
