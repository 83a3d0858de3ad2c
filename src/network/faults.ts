/** The faults that can be injected into the embedded network. */
import type { RandomSource } from "../bytes/bytes.js";
import { uniform } from "../mixnet/sampling.js";

/** The direction of a packet: from a client to a service, or back. */
export type PacketDirection = "forward" | "reply";

/** Receives the changes that take effect at once. */
export interface FaultListener {
  /** Called when links are cut off, or may connect again. */
  onOnline(online: boolean): void;
  /** Called when documents are withheld, or released. */
  onDocumentsWithheld(withheld: boolean): void;
}

/**
 * Controls the faults of a network; initially there are none. With a seeded network the same calls
 * lose the same packets.
 */
export class NetworkFaults {
  readonly #random: RandomSource;
  readonly #listener: FaultListener;
  readonly #dropNext = { forward: 0, reply: 0 };
  #online = true;
  #loss = 0;
  #extraDelayMs = 0;
  #documentsWithheld = false;

  constructor(random: RandomSource, listener: FaultListener) {
    this.#random = random;
    this.#listener = listener;
  }

  /** Whether gateways can be reached. */
  get online(): boolean {
    return this.#online;
  }

  /**
   * Cuts all links off, or lets them connect again. Replies to packets from before the cut never
   * arrive, as on a real network: a new link has a new queue ID (spec/mixnet §0).
   */
  setOnline(online: boolean): void {
    if (online === this.#online) return;
    this.#online = online;
    this.#listener.onOnline(online);
  }

  /** The probability that a packet is lost, in each direction. */
  get loss(): number {
    return this.#loss;
  }

  /**
   * Loses packets with that probability from now on, in each direction.
   * @throws RangeError when `probability` is not from 0 to 1.
   */
  setLoss(probability: number): void {
    if (!(probability >= 0 && probability <= 1)) {
      throw new RangeError(`\`probability\` must be from 0 to 1, got ${probability}`);
    }
    this.#loss = probability;
  }

  /** How much longer than planned each direction takes, in ms. */
  get extraDelayMs(): number {
    return this.#extraDelayMs;
  }

  /**
   * Delays packets by `ms` milliseconds more than planned from now on, in each direction.
   * @throws RangeError when `ms` is not a finite number from 0 up.
   */
  setExtraDelay(ms: number): void {
    if (!(ms >= 0 && ms < Infinity)) {
      throw new RangeError(`\`ms\` must be a finite number from 0 up, got ${ms}`);
    }
    this.#extraDelayMs = ms;
  }

  /** Whether new documents of the authorities are withheld. */
  get documentsWithheld(): boolean {
    return this.#documentsWithheld;
  }

  /**
   * Withholds documents that become due, or releases those that are due. If they are withheld
   * before the network starts, there is "no document yet".
   */
  withholdDocuments(withheld: boolean): void {
    if (withheld === this.#documentsWithheld) return;
    this.#documentsWithheld = withheld;
    this.#listener.onDocumentsWithheld(withheld);
  }

  /**
   * Loses exactly the next `count` packets in one direction; replaces an earlier call.
   * @throws RangeError when `count` is not an integer from 0 up.
   */
  dropNext(count: number, direction: PacketDirection = "forward"): void {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(`\`count\` must be an integer from 0 up, got ${count}`);
    }
    this.#dropNext[direction] = count;
  }

  /** Whether the packet that is about to leave gets lost; called once per packet and direction. */
  takeLoss(direction: PacketDirection): boolean {
    if (this.#dropNext[direction] > 0) {
      this.#dropNext[direction]--;
      return true;
    }
    return this.#loss > 0 && uniform(this.#random) < this.#loss;
  }
}
