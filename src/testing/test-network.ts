/** An embedded network for a test, in one line, with clients that belong to it. */
import type { Clock } from "../clock/clock.js";
import { realClock } from "../clock/real.js";
import { VirtualClock } from "../clock/virtual.js";
import type { ThinClientOptions } from "../client/options.js";
import { ThinClient } from "../client/thin-client.js";
import type { EventHandlers } from "../config/handlers.js";
import { DevDaemon, type DevDaemonOptions } from "./dev-daemon.js";
import { ConnectError } from "../errors/errors.js";
import type { Timing } from "../mixnet/timing.js";
import type { NetworkFaults } from "../network/faults.js";
import type { Transport } from "../transport/transport.js";

/**
 * Waits of a test network in real time: tests are few clients for a moment, so a reader may ask
 * often and sees what was written at once. Virtual time costs nothing but the asking.
 */
const testTiming: Partial<Timing> = {
  followUpMs: { first: 5, longest: 50 },
  courierRedispatchMs: 20,
  courierCacheMs: 1000,
};

/**
 * What {@link startTestNetwork} takes: all that a `DevDaemon` takes, and which clock to wait by.
 */
export interface TestNetworkOptions extends Omit<DevDaemonOptions, "clock"> {
  /**
   * `real` (default): calls take the milliseconds that they take, and tests just await them.
   * `virtual`: nothing that waits goes on before the test moves the clock, and hours pass in
   * milliseconds; see {@link TestNetwork.run}.
   */
  readonly clock?: "real" | "virtual" | undefined;
}

/** What {@link TestNetwork.client} takes; `dial` and `clock` are the network's own. */
export interface TestClientOptions extends Omit<ThinClientOptions, "dial" | "clock"> {
  /** Handlers of the client's configuration; more may be added with `client.on`. */
  readonly handlers?: EventHandlers | undefined;
}

/** A running network, its daemon, and the clients that were made with it. */
export class TestNetwork<C extends Clock = Clock> implements AsyncDisposable {
  /**
   * The daemon: `crash()`, `restart()`, `config()` when it listens, `storage.replicas[i].faults`.
   */
  readonly daemon: DevDaemon;
  /** What network and clients wait by. */
  readonly clock: C;
  readonly #clients: ThinClient[] = [];

  /** @internal */
  constructor(daemon: DevDaemon, clock: C) {
    this.daemon = daemon;
    this.clock = clock;
  }

  /** What goes wrong in the mixnet: cut links, lost and late packets, documents withheld. */
  get faults(): NetworkFaults {
    return this.daemon.network.faults;
  }

  /** Connects to the daemon inside this process: for the `dial` of a client of your own. */
  readonly dial = async (): Promise<Transport> => {
    if (!this.daemon.isRunning) throw new ConnectError("the test network's daemon is not running");
    return this.daemon.dial();
  };

  /**
   * A started client with an in-memory connection; stopped with the network at the latest.
   * @throws as `ThinClient.connect`.
   */
  async client(options: TestClientOptions = {}): Promise<ThinClient> {
    const { handlers, ...rest } = options;
    const client = new ThinClient(
      // The address is for messages only: `dial` is what connects.
      { ...handlers, dial: { unix: { address: "@test-network" } } },
      { ...rest, dial: this.dial, clock: this.clock },
    );
    this.#clients.push(client);
    await this.run(client.start());
    return client;
  }

  /**
   * Gives what `promise` gives. With a virtual clock this is what moves time on, just as far as is
   * needed; with the real one it is the same as awaiting.
   * @throws RangeError when it is still pending after an hour of virtual time.
   */
  async run<T>(promise: Promise<T>): Promise<T> {
    const { clock } = this;
    return clock instanceof VirtualClock ? clock.runUntil(promise) : promise;
  }

  /** Stops all clients, the daemon and the network. Idempotent. */
  async close(): Promise<void> {
    await this.run(Promise.all(this.#clients.splice(0).map((client) => client.stop())));
    await this.run(this.daemon.close());
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Starts an embedded network for a test. Its seed is fixed unless one is given, so that keys, ways
 * and losses are the same in every run.
 *
 * ```ts
 * await using network = await startTestNetwork();
 * const client = await network.client();
 * ```
 *
 * @throws TypeError, RangeError, ConfigError for invalid options.
 */
export function startTestNetwork(
  options: TestNetworkOptions & {
    /** Gives a network whose `clock` the test may move by itself, too. */
    readonly clock: "virtual";
  },
): Promise<TestNetwork<VirtualClock>>;
export function startTestNetwork(options?: TestNetworkOptions): Promise<TestNetwork>;
export async function startTestNetwork(options: TestNetworkOptions = {}): Promise<TestNetwork> {
  const { clock: kind = "real", ...rest } = options;
  if (kind !== "real" && kind !== "virtual") {
    throw new RangeError(
      `\`options.clock\` must be real or virtual, got ${JSON.stringify(kind satisfies never)}`,
    );
  }
  const clock = kind === "virtual" ? new VirtualClock() : realClock;
  const quick =
    kind === "real" && (rest.mixing ?? "instant") === "instant" && rest.gateway === undefined;
  const timing = quick ? { ...testTiming, ...rest.timing } : rest.timing;
  const starting = DevDaemon.start({ seed: "test network", ...rest, timing, clock });
  const daemon = await (clock instanceof VirtualClock ? clock.runUntil(starting) : starting);
  return new TestNetwork(daemon, clock);
}
