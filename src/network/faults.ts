/** What can be made to go wrong in the embedded network. */
import type { RandomSource } from "../bytes/bytes.js";
import { uniform } from "../mixnet/sampling.js";

/** Which way a packet goes: from a client to a service, or back. */
export type PacketDirection = "forward" | "reply";

/** Hears of the changes that take effect at once. */
export interface FaultListener {
  /** Links are cut off from now on, or may connect again. */
  onOnline(online: boolean): void;
  /** Documents that become due reach nobody from now on, or come out again. */
  onDocumentsWithheld(withheld: boolean): void;
}

/**
 * Controls of a network's faults; at first there are none. With a seeded network the same calls
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
   * Cuts all links off, or lets them connect again. Replies to what was sent before the cut never
   * arrive, as on a real network: a new link has a new name. spec/mixnet §0.
   */
  setOnline(online: boolean): void {
    if (online === this.#online) return;
    this.#online = online;
    this.#listener.onOnline(online);
  }

  /** How likely a packet is lost, each way. */
  get loss(): number {
    return this.#loss;
  }

  /** @throws RangeError when `probability` is not from 0 to 1. */
  setLoss(probability: number): void {
    if (!(probability >= 0 && probability <= 1)) {
      throw new RangeError(`\`probability\` must be from 0 to 1, got ${probability}`);
    }
    this.#loss = probability;
  }

  /** How much longer than planned each way takes, in ms. */
  get extraDelayMs(): number {
    return this.#extraDelayMs;
  }

  /** @throws RangeError when `ms` is not a finite number from 0 up. */
  setExtraDelay(ms: number): void {
    if (!(ms >= 0 && ms < Infinity)) {
      throw new RangeError(`\`ms\` must be a finite number from 0 up, got ${ms}`);
    }
    this.#extraDelayMs = ms;
  }

  /** Whether the authorities' new documents reach nobody. */
  get documentsWithheld(): boolean {
    return this.#documentsWithheld;
  }

  /**
   * Keeps documents that become due from reaching anybody, or hands those out that are due.
   * Withheld before the network starts, there is "no document yet".
   */
  withholdDocuments(withheld: boolean): void {
    if (withheld === this.#documentsWithheld) return;
    this.#documentsWithheld = withheld;
    this.#listener.onDocumentsWithheld(withheld);
  }

  /**
   * Loses the next `count` packets that go one way, and no more: what was asked before is
   * forgotten.
   * @throws RangeError when `count` is not an integer from 0 up.
   */
  dropNext(count: number, direction: PacketDirection = "forward"): void {
    if (!Number.isSafeInteger(count) || count < 0) {
      throw new RangeError(`\`count\` must be an integer from 0 up, got ${count}`);
    }
    this.#dropNext[direction] = count;
  }

  /** Whether the packet that is about to go gets lost; asked once a packet and way. */
  takeLoss(direction: PacketDirection): boolean {
    if (this.#dropNext[direction] > 0) {
      this.#dropNext[direction]--;
      return true;
    }
    return this.#loss > 0 && uniform(this.#random) < this.#loss;
  }
}
