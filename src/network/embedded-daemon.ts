/**
 * The embedded network with a daemon in front, in Node or in a web page: clients reach it through
 * connections in memory. It gives no anonymity.
 */
import { type Bytes, type RandomSource, randomBytes } from "../bytes/bytes.js";
import { checkOptions } from "../bytes/options.js";
import type { Clock, Timer } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { Daemon } from "../daemon/daemon.js";
import type { DaemonTrace } from "../daemon/trace.js";
import { InvalidStateError } from "../errors/errors.js";
import { type Kindness, kindnesses } from "../mixnet/kindness.js";
import { type Timing, timingOf } from "../mixnet/timing.js";
import type { LinkTrace, TraceHook } from "../mixnet/trace.js";
import { DialConfig } from "../transport/dial-config.js";
import { memoryPair } from "../transport/memory.js";
import type { Listener, Transport } from "../transport/transport.js";
import type { PublishedDocument } from "./directory.js";
import { checkEmbeddedDaemonOptions, storeCheck } from "./embedded-daemon-options.js";
import type { Mixing } from "./embedded-link.js";
import { type KeptNetwork, openKeptNetwork } from "./kept-network.js";
import { EmbeddedNetwork, type EmbeddedNetworkOptions } from "./network.js";
import { NikeSchemes } from "./nike-schemes.js";
import type { Rates } from "./parameters.js";
import { derivedRandom, seedBytes } from "./random.js";
import type { StorageTrace } from "./storage-link.js";
import type { StorageNetwork } from "./storage-network.js";

/** What an {@link EmbeddedDaemon} is started with. */
export interface EmbeddedDaemonOptions extends Partial<Rates>, Kindness {
  /** Same seed, same keys, paths, delays and losses; different each time without one. */
  readonly seed?: string | Uint8Array | undefined;
  /** What everything waits by; the platform's clock by default, a virtual one in tests. */
  readonly clock?: Clock | undefined;
  /**
   * `instant` (default): packets take no time, retries keep a pace. `realistic`: delays, rates and
   * waits of a development network. `sphinx`: the same, and packets are real ones, sealed in layers
   * that hop after hop takes off.
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
  /**
   * Name of a database that keeps seed and boxes when the page is reloaded or the process ends:
   * IndexedDB in a page, a LevelDB folder in Node. A new one takes `seed`, an old one keeps its
   * own; so it does with `replicas`, `couriers`, `nike`, `userForwardPayloadLength` and `epochMs`,
   * of which other values are refused. In memory only without it.
   */
  readonly store?: string | undefined;
  /** Hears of failures inside, never of contents. */
  readonly onFault?: ((error: Error) => void) | undefined;
  /**
   * Receives what the daemon, its link and the storage do, event by event: names, shortened ids and
   * times, never contents.
   */
  readonly onTrace?: TraceHook<DaemonTrace | LinkTrace | StorageTrace> | undefined;
}

/** What a platform adds to an {@link EmbeddedDaemon}. */
export interface EmbeddedDaemonSurroundings {
  /**
   * What must survive, with its own seed; closed with the network. Then nonces are never drawn from
   * the seed.
   */
  readonly kept?: KeptNetwork | undefined;
  /** Opens what the daemon listens on, before each of its starts. */
  readonly listen?: (() => Promise<readonly Listener[]>) | undefined;
  /** Hears of each document that is published. */
  readonly onDocument?: ((document: PublishedDocument) => void) | undefined;
}

/** How to dial a daemon without an address: the one here is for messages only. */
class InMemoryDial extends DialConfig {
  readonly #connect: () => Promise<Transport>;

  constructor(connect: () => Promise<Transport>) {
    super({ ws: { address: "ws://in-memory:1" } });
    this.#connect = connect;
  }

  override async dial(): Promise<Transport> {
    return this.#connect();
  }
}

/** A running embedded network with its daemon. */
export class EmbeddedDaemon implements AsyncDisposable {
  /** The network behind the daemon, with its fault controls. */
  readonly network: EmbeddedNetwork;
  /** What everything here waits by. */
  readonly clock: Clock;
  readonly #options: EmbeddedDaemonOptions;
  readonly #surroundings: EmbeddedDaemonSurroundings;
  readonly #schemes: NikeSchemes;
  readonly #random: RandomSource;
  #daemon: Daemon | null = null;
  #instanceToken: Bytes | null = null;
  #closed = false;
  /** What starts and ends the daemon goes on one after the other. */
  #work: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #alive: Timer | null = null;

  /** @internal Nothing runs before {@link begin}; the options were checked. */
  protected constructor(
    options: EmbeddedDaemonOptions,
    surroundings: EmbeddedDaemonSurroundings = {},
  ) {
    const { mixing = "instant", nike = "x25519", clock = realClock } = options;
    const { kept, onDocument } = surroundings;
    this.#options = options;
    this.#surroundings = surroundings;
    this.clock = clock;
    this.#schemes = new NikeSchemes(clock);
    const seed = kept?.seed ?? seedBytes(options.seed);
    this.#random = kept ? randomBytes : derivedRandom(seed, "daemon");
    this.network = new EmbeddedNetwork({
      ...networkOptions(options),
      seed,
      clock,
      mixing,
      scheme: this.#schemes.named(nike),
      timing: { ...timingOf(mixing, nike), ...options.timing },
      genesisEpoch: kept?.genesisEpoch,
      storeFor: kept && (({ replicaId }) => kept.stores[replicaId]!),
      logFor: kept && ((place) => kept.logs[place]!),
      onDocument,
    });
  }

  /**
   * Starts network and daemon.
   * @throws ConfigError, RangeError, TypeError for invalid options; nothing runs then, and nothing
   * was opened for options that are invalid in themselves.
   */
  static async start(options: EmbeddedDaemonOptions = {}): Promise<EmbeddedDaemon> {
    checkEmbeddedDaemonOptions(options, { store: storeCheck });
    const { store, clock = realClock } = options;
    const nowMs = clock.now();
    const kept =
      store === undefined ? undefined : await openKeptNetwork(store, { ...options, nowMs });
    let running: EmbeddedDaemon;
    try {
      running = new EmbeddedDaemon({ ...options, ...kept?.shape }, { kept });
    } catch (error) {
      await kept?.close();
      throw error;
    }
    try {
      await running.network.start();
      await running.begin();
    } catch (error) {
      await running.close();
      throw error;
    }
    return running;
  }

  /** The network's couriers and storage replicas, with their fault controls. */
  get storage(): StorageNetwork {
    return this.network.storage;
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

  /** A connection inside this process; fits a client's `dial` option. */
  readonly dial = async (): Promise<Transport> => {
    const [ours, theirs] = memoryPair();
    this.daemon.serve(ours);
    return theirs;
  };

  /** A client's configuration whose connections are in memory. */
  config(): {
    /** How to dial: inside this process or page. */
    readonly dial: DialConfig;
  } {
    return { dial: new InMemoryDial(this.dial) };
  }

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
      await this.#startDaemon();
    });
  }

  #checkOpen(): void {
    if (this.#closed) throw new InvalidStateError("the embedded network is closed");
  }

  /** Stops daemon and network, also one that is being restarted. Idempotent. */
  close(): Promise<void> {
    this.#closed = true;
    this.#closing ??= this.#next(() => this.end());
    return this.#closing;
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * @internal Starts the daemon for the first time. From then on the process stays until the
   * network is closed, as with a listener: in-memory connections alone would not keep it, and all
   * timers of the network are background ones.
   */
  protected async begin(): Promise<void> {
    await this.#startDaemon();
    if (this.clock === realClock) this.#alive = realClock.after(Infinity, () => {});
  }

  /** @internal Ends what runs, once; what a platform added ends around it. */
  protected async end(): Promise<void> {
    this.#alive?.cancel();
    const daemon = this.#daemon;
    this.#daemon = null;
    try {
      await daemon?.close();
      await this.network.close();
    } finally {
      // Whatever fails, the next one is to have it.
      await this.#surroundings.kept?.close();
      this.#schemes.close();
    }
  }

  async #startDaemon(): Promise<void> {
    const { nike = "x25519", onFault, onTrace } = this.#options;
    const listeners = (await this.#surroundings.listen?.()) ?? [];
    const daemon = new Daemon({
      link: this.network.link({ onTrace }),
      clock: this.clock,
      timing: this.network.timing,
      geometry: this.network.geometry,
      pigeonholeGeometry: this.network.pigeonholeGeometry,
      sizes: this.network.sizes,
      scheme: this.#schemes.named(nike),
      voucherScheme: this.#schemes.named("CTIDH1024-X25519"),
      authorities: this.network.authorities,
      ...kindnessOf(this.#options),
      random: this.#random,
      // Names a process, so that clients of one that was restarted start their work again: never
      // seeded.
      instanceToken: this.#instanceToken ?? randomBytes(16),
      onFault,
      onTrace,
    });
    this.#instanceToken = daemon.instanceToken;
    this.#daemon = daemon;
    for (const listener of listeners) daemon.listen(listener);
  }
}

/** What of the options is kindness. */
function kindnessOf(options: EmbeddedDaemonOptions): Kindness {
  return Object.fromEntries(kindnesses.map((name) => [name, options[name] ?? false]));
}

/** What of a daemon's options is the network's. */
function networkOptions(options: EmbeddedDaemonOptions): Partial<EmbeddedNetworkOptions> {
  const { epochMs, couriers, replicas, mixesPerLayer, userForwardPayloadLength } = options;
  const { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR } = options;
  const { kindCouriers, kindMixes, onFault, onTrace } = options;
  const rates = { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR };
  const counts = { epochMs, couriers, replicas, mixesPerLayer, userForwardPayloadLength };
  const given = { ...counts, ...rates, kindCouriers, kindMixes, onFault, onTrace };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
