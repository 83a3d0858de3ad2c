/**
 * A daemon's packets for the boxes' test double: one leaves at each tick, and each call takes two, the
 * request and the one that fetches the answer. Ticks and the network's delays are random, as with a
 * real daemon, but drawn from a seed. A test double for what the embedded network does with real
 * packets, which needs seconds of processor time for an hour of ticks.
 */
import type { ChannelClient } from "../../src/channels/index.js";
import type { VirtualClock } from "../../src/clock/virtual.js";
import { exponential } from "../../src/mixnet/sampling.js";
import { derivedRandom, seedBytes } from "../../src/network/random.js";

/** One packet a second. */
const TICK_MS = 1000;
/** Layers of mixes; the gateway and the service delay packets too. */
const LAYERS = 3;
const HOPS = 2 * LAYERS + 2;

/** What the packets of one call are for. */
type Use = "read" | "write";

/** The packets of one store. */
export class PacketSchedule {
  /** The mean delay of a hop. */
  hopMs = 200;
  /** How long the daemon computes to seal an envelope; it seals one after the other. */
  sealMs = 0;
  readonly #clock: VirtualClock;
  readonly #random;
  readonly #waiting: { readonly use: Use; readonly leave: () => void }[] = [];
  /** Ticks that carried a packet for a read, a packet for a write, and none. */
  readonly ticks = { read: 0, write: 0, empty: 0 };

  constructor(clock: VirtualClock, seed: string) {
    this.#clock = clock;
    this.#random = derivedRandom(seedBytes(seed), "packets");
    this.#tick();
  }

  #tick(): void {
    this.#clock.after(exponential(this.#random, 1 / TICK_MS), () => {
      const next = this.#waiting.shift();
      this.ticks[next?.use ?? "empty"]++;
      next?.leave();
      this.#tick();
    });
  }

  /** How many packets wait for a tick. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when a packet has left. */
  #packet(use: Use): Promise<void> {
    return new Promise((leave) => this.#waiting.push({ use, leave }));
  }

  #sealing: Promise<void> = Promise.resolve();

  #seal(): Promise<void> {
    if (this.sealMs === 0) return this.#sealing;
    this.#sealing = this.#sealing.then(() => this.#clock.sleep(this.sealMs));
    return this.#sealing;
  }

  async #network(signal: AbortSignal | undefined): Promise<void> {
    let ms = 0;
    for (let hop = 0; hop < HOPS; hop++) ms += exponential(this.#random, 1 / this.hopMs);
    await this.#clock.sleep(ms, signal);
  }

  /** The ticks since `before`, a copy of {@link ticks}: the share of each kind. */
  since(before: PacketSchedule["ticks"]): Record<keyof PacketSchedule["ticks"], number> {
    const [read, write, empty] = (["read", "write", "empty"] as const).map(
      (kind) => this.ticks[kind] - before[kind],
    ) as [number, number, number];
    const all = read + write + empty;
    return { read: read / all, write: write / all, empty: empty / all };
  }

  /** `client`, whose reads and writes wait for these packets. */
  client(client: ChannelClient): ChannelClient {
    const twice = async <T>(
      use: Use,
      signal: AbortSignal | undefined,
      call: () => Promise<T>,
    ): Promise<T> => {
      await this.#seal();
      await this.#packet(use);
      await this.#network(signal);
      const answer = call();
      answer.catch(() => {});
      await this.#packet(use);
      await this.#network(signal);
      return answer;
    };
    const { read, write } = client;
    client.read = (readCap, index, options) =>
      twice("read", options?.signal, () => read(readCap, index, options));
    client.write = (writeCap, index, plaintext, options) =>
      twice("write", options?.signal, () => write(writeCap, index, plaintext, options));
    const topology = Array.from({ length: LAYERS }, () => []);
    client.pkiDocument = () => ({ lambdaP: 1 / TICK_MS, mu: 1 / this.hopMs, topology }) as never;
    return client;
  }
}
