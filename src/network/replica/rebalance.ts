/** Sends replicas that came online the boxes that they must hold (spec/pigeonhole §9.2). */
import { toHex } from "../../bytes/bytes.js";
import type { SignedBox } from "../../crypto/envelope/replica-messages.js";
import type { Breather } from "../../clock/breather.js";
import type { ReplicaBoxes } from "./replica-boxes.js";
import { type StorageDocument, placeOf } from "./shards.js";

/** How many boxes are on their way at a time. */
const batchLength = 8;

/** What rebalancing needs. */
export interface RebalanceOptions {
  readonly breather: Breather;
  /** The identity key of the replica itself. */
  readonly identityKey: Uint8Array;
  readonly boxes: ReplicaBoxes;
  readonly document: () => StorageDocument | null;
  /** Sends a box to a replica. Never rejects. */
  readonly send: (replicaId: number, box: SignedBox) => Promise<void>;
  /** Called when the boxes could not be read. */
  readonly onFault: (error: Error) => void;
}

/**
 * Watches which replicas are online. A change does not move boxes between shards, because shards
 * are chosen among all configured replicas. So only replicas that came online need boxes. At the
 * start these are all replicas: one that ended suddenly may not have passed on its last boxes.
 */
export class Rebalance {
  readonly #options: RebalanceOptions;
  #online: ReadonlySet<string> = new Set();
  readonly #unsupplied = new Set<string>();
  #running = false;
  #closed = false;

  constructor(options: RebalanceOptions) {
    this.#options = options;
  }

  /** Whether boxes are being sent. */
  get running(): boolean {
    return this.#running;
  }

  /** Looks at a new document, and starts the work that follows from it. */
  update(document: StorageDocument): void {
    const online = new Set(document.storageReplicas.map(({ identityKey }) => toHex(identityKey)));
    for (const key of online) if (!this.#online.has(key)) this.#unsupplied.add(key);
    for (const key of this.#unsupplied) if (!online.has(key)) this.#unsupplied.delete(key);
    this.#online = online;
    this.#unsupplied.delete(toHex(this.#options.identityKey));
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#unsupplied.size > 0 && !this.#closed && !this.#options.boxes.isEmpty) {
        const targets = new Set(this.#unsupplied);
        this.#unsupplied.clear();
        await this.#supply(targets);
      }
    } catch (error) {
      // Boxes are read while they are sent, and the store may be closed or damaged.
      if (!this.#closed) this.#options.onFault(error as Error);
    } finally {
      this.#unsupplied.clear();
      this.#running = false;
    }
  }

  async #supply(targets: ReadonlySet<string>): Promise<void> {
    const { breather, boxes, document, identityKey, send } = this.#options;
    let batch: Promise<void>[] = [];
    for await (const { box } of boxes.kept()) {
      const current = document();
      if (this.#closed || current === null) break;
      for (const holder of placeOf(current, box.boxId, identityKey).others) {
        if (targets.has(toHex(holder.identityKey))) batch.push(send(holder.replicaId, box));
      }
      if (batch.length >= batchLength) {
        await Promise.all(batch);
        batch = [];
      }
      await breather.pause();
    }
    await Promise.all(batch);
  }

  /** Stops after the boxes that are on their way. Idempotent. */
  close(): void {
    this.#closed = true;
  }
}
