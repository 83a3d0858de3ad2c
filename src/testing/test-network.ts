/** An embedded network for a test, in one line, with its clients. */
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
 * The waits of a test network in real time. A test has few clients for a short time, so a reader
 * may ask often and sees what was written at once. With a virtual clock the usual waits stay,
 * because they take no time.
 */
const testTiming: Partial<Timing> = {
  followUpMs: { first: 5, longest: 50 },
  courierRedispatchMs: 20,
  courierCacheMs: 1000,
};

/** Options of {@link startTestNetwork}: all options of a `DevDaemon`, and the choice of clock. */
export interface TestNetworkOptions extends Omit<DevDaemonOptions, "clock"> {
  /**
   * `real` (default): calls take milliseconds, and tests just await them. `virtual`: nothing that
   * waits continues before the test moves the clock, and hours pass in milliseconds; see {@link
   * TestNetwork.run}.
   */
  readonly clock?: "real" | "virtual" | undefined;
}

/** Options of {@link TestNetwork.client}; `dial` and `clock` come from the network. */
export interface TestClientOptions extends Omit<ThinClientOptions, "dial" | "clock"> {
  /** Handlers of the client's configuration; `client.on` adds more. */
  readonly handlers?: EventHandlers | undefined;
}

/** A running network, its daemon, and the clients made with it. */
export class TestNetwork<C extends Clock = Clock> implements AsyncDisposable {
  /**
   * The daemon, with `crash()`, `restart()`, `config()` (if it listens) and
   * `storage.replicas[i].faults`.
   */
  readonly daemon: DevDaemon;
  /** The clock of the network and its clients. */
  readonly clock: C;
  readonly #clients: ThinClient[] = [];

  /** @internal */
  constructor(daemon: DevDaemon, clock: C) {
    this.daemon = daemon;
    this.clock = clock;
  }

  /** Injects faults into the mixnet: cut links, lost and late packets, withheld documents. */
  get faults(): NetworkFaults {
    return this.daemon.network.faults;
  }

  /** Connects to the daemon inside this process; pass it as `dial` to your own client. */
  readonly dial = async (): Promise<Transport> => {
    if (!this.daemon.isRunning) throw new ConnectError("the test network's daemon is not running");
    return this.daemon.dial();
  };

  /**
   * A started client with an in-memory connection; it is stopped with the network at the latest.
   * @throws as `ThinClient.connect`.
   */
  async client(options: TestClientOptions = {}): Promise<ThinClient> {
    const { handlers, ...rest } = options;
    const client = new ThinClient(
      // The address is only for messages: `dial` makes the connection.
      { ...handlers, dial: { unix: { address: "@test-network" } } },
      { ...rest, dial: this.dial, clock: this.clock },
    );
    this.#clients.push(client);
    await this.run(client.start());
    return client;
  }

  /**
   * Settles as `promise` does. With a virtual clock it moves the time forward as far as needed;
   * with the real clock it is the same as awaiting.
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
 * Starts an embedded network for a test. The seed is fixed by default, so that keys, routes and
 * losses are the same in every run.
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
    /** Makes a network whose `clock` the test may also move directly. */
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
