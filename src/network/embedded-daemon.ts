/**
 * The embedded network with a daemon, in Node or in a web page. Clients reach it through in-memory
 * connections. It gives no anonymity.
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
import type { KeptNetwork, KeptNetworkOptions } from "./kept-network.js";
import { EmbeddedNetwork, type EmbeddedNetworkOptions } from "./network.js";
import { NikeSchemes } from "./nike-schemes.js";
import type { Rates } from "./parameters.js";
import { derivedRandom, ownSeed, seedBytes } from "./random.js";
import type { StorageTrace } from "./storage-link.js";
import type { StorageNetwork } from "./storage-network.js";

/** Options of an {@link EmbeddedDaemon}. */
export interface EmbeddedDaemonOptions extends Partial<Rates>, Kindness {
  /**
   * The same seed gives the same keys, routes, delays and losses; without one they differ each
   * time.
   */
  readonly seed?: string | Uint8Array | undefined;
  /** The clock for all waits; the platform's by default, a virtual one in tests. */
  readonly clock?: Clock | undefined;
  /**
   * `instant` (default): packets take no time, but retries are paced. `realistic`: delays, rates
   * and waits of a development network. `sphinx`: the same, and packets are real ones, with layers
   * of encryption that the hops remove.
   */
  readonly mixing?: Mixing | undefined;
  /** Waits to change; the others follow from `mixing`. */
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
   * NIKE of the storage: `x25519` (default), or `CTIDH1024-X25519` as on upstream's networks, where
   * each envelope takes seconds.
   */
  readonly nike?: "x25519" | "CTIDH1024-X25519" | undefined;
  /**
   * Bytes a packet carries; the default (1,872, or 2,000 with CTIDH) makes boxes of 1,549 bytes.
   */
  readonly userForwardPayloadLength?: number | undefined;
  /**
   * Name of a database that keeps seed and boxes when the page is reloaded or the process ends:
   * IndexedDB in a page, a LevelDB folder in Node. A new database takes `seed`; an existing one
   * keeps its own. An existing database also keeps `replicas`, `couriers`, `nike`,
   * `userForwardPayloadLength` and `epochMs`, and other values are refused. Without a name,
   * everything is only in memory.
   */
  readonly store?: string | undefined;
  /** Called for internal failures, never with contents. */
  readonly onFault?: ((error: Error) => void) | undefined;
  /**
   * Receives a trace of the daemon, its link and the storage, event by event: names, shortened IDs
   * and times, never contents.
   */
  readonly onTrace?: TraceHook<DaemonTrace | LinkTrace | StorageTrace> | undefined;
}

/** The parts that a platform adds to an {@link EmbeddedDaemon}. */
export interface EmbeddedDaemonSurroundings {
  /**
   * The storage that must survive, with its own seed; closed together with the network. With it,
   * nonces are never drawn from the seed.
   */
  readonly kept?: KeptNetwork | undefined;
  /** Opens the daemon's listeners, before each of its starts. */
  readonly listen?: (() => Promise<readonly Listener[]>) | undefined;
  /** Called for each document that is published. */
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
  /** Starts and ends of the daemon run one after the other. */
  #work: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #alive: Timer | null = null;

  /** @internal Nothing runs before {@link begin}; the options are already checked. */
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
   * @throws ConfigError, RangeError, TypeError for invalid options; ConfigError for a `store` that
   * is in use, damaged, or of a network with other parameters. Then nothing runs; for options that
   * are invalid in themselves, nothing was opened.
   */
  static async start(options: EmbeddedDaemonOptions = {}): Promise<EmbeddedDaemon> {
    checkEmbeddedDaemonOptions(options, { store: storeCheck });
    options = { ...options, seed: ownSeed(options.seed) };
    const { store, clock = realClock } = options;
    const nowMs = clock.now();
    const kept = store === undefined ? undefined : await openStore(store, { ...options, nowMs });
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
   * The daemon: it reports its load, disconnects clients, and drops sessions.
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

  /**
   * Connects inside this process; pass it as a client's `dial` option.
   * @throws (rejects) InvalidStateError while the daemon does not run.
   */
  readonly dial = async (): Promise<Transport> => {
    const [ours, theirs] = memoryPair();
    this.daemon.serve(ours);
    return theirs;
  };

  /** A client's configuration with an in-memory connection. */
  config(): {
    /** How to dial: inside this process or page. */
    readonly dial: DialConfig;
  } {
    return { dial: new InMemoryDial(this.dial) };
  }

  /**
   * Stops the daemon as if it were killed: connections are reset, sessions forgotten. The network
   * continues.
   */
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
   * Starts the daemon again at the same addresses; if it runs, it says goodbye first.
   * @throws (rejects) InvalidStateError when the network is closed before the daemon runs.
   */
  restart(
    options: {
      /** Whether it gets a new instance token, as another process would; true by default. */
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

  /** Stops daemon and network, even during a restart. Idempotent. */
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
   * @internal Starts the daemon for the first time. From then on the process stays alive until the
   * network is closed, as with a listener: in-memory connections would not keep it alive, and all
   * timers of the network are background timers.
   */
  protected async begin(): Promise<void> {
    await this.#startDaemon();
    if (this.clock === realClock) this.#alive = realClock.after(Infinity, () => {});
  }

  /** @internal Ends everything, once; a platform ends its additions around it. */
  protected async end(): Promise<void> {
    this.#alive?.cancel();
    const daemon = this.#daemon;
    this.#daemon = null;
    try {
      await daemon?.close();
      await this.network.close();
    } finally {
      // Release it whatever fails, so that the next network can open it.
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
      // Identifies a process, so that clients of a restarted one repeat their work. Never drawn
      // from the seed.
      instanceToken: this.#instanceToken ?? randomBytes(16),
      onFault,
      onTrace,
    });
    this.#instanceToken = daemon.instanceToken;
    this.#daemon = daemon;
    for (const listener of listeners) daemon.listen(listener);
  }
}

/** The kindnesses among the options. */
function kindnessOf(options: EmbeddedDaemonOptions): Kindness {
  return Object.fromEntries(kindnesses.map((name) => [name, options[name] ?? false]));
}

/** The options for the network. */
function networkOptions(options: EmbeddedDaemonOptions): Partial<EmbeddedNetworkOptions> {
  const { epochMs, couriers, replicas, mixesPerLayer, userForwardPayloadLength } = options;
  const { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR } = options;
  const { kindCouriers, kindMixes, onFault, onTrace } = options;
  const rates = { mu, lambdaP, lambdaL, lambdaM, lambdaG, lambdaR };
  const counts = { epochMs, couriers, replicas, mixesPerLayer, userForwardPayloadLength };
  const given = { ...counts, ...rates, kindCouriers, kindMixes, onFault, onTrace };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Loaded when it is needed: a page that keeps nothing need not carry a database. */
async function openStore(store: string, options: KeptNetworkOptions): Promise<KeptNetwork> {
  const { openKeptNetwork } = await import("./kept-network.js");
  return openKeptNetwork(store, options);
}
