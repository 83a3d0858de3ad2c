/** Sends boxes to the other replicas that must hold them (spec/pigeonhole §9.2). */
import { toHex } from "../../bytes/bytes.js";
import type { Clock, Timer } from "../../clock/clock.js";
import type { SignedBox } from "../../crypto/envelope/replica-messages.js";
import { type Timing, pauseBefore } from "../../mixnet/timing.js";
import type { StorageLink } from "../storage-link.js";
import { temporaryForReplication } from "../temporary-codes.js";
import type { StorageDocument } from "./shards.js";

/** How many boxes wait for one peer that cannot take them; the oldest are dropped. */
const longestQueue = 2000;
/** For how many PKI epochs they wait. */
const keptEpochs = 3;

/** What replication needs. */
export interface ReplicationOptions {
  readonly clock: Clock;
  readonly timing: Pick<Timing, "proxyMs" | "replicationRetryMs">;
  readonly document: () => StorageDocument | null;
  readonly linkTo: (replicaId: number) => StorageLink | undefined;
}

interface Waiting {
  readonly box: SignedBox;
  readonly sinceEpoch: number;
}

/** Sends boxes to peers. Boxes that a peer could not take wait for a limited time. */
export class Replication {
  readonly #options: ReplicationOptions;
  /** By peer, then by box ID. */
  readonly #waiting = new Map<number, Map<string, Waiting>>();
  #timer: Timer | null = null;
  #fruitless = 0;
  #closed = false;

  constructor(options: ReplicationOptions) {
    this.#options = options;
  }

  /** How many boxes wait for a peer. */
  get waiting(): number {
    let count = 0;
    for (const boxes of this.#waiting.values()) count += boxes.size;
    return count;
  }

  /**
   * Sends a box to a peer; after a temporary failure it is tried again later. Resolves when the
   * peer has it, has refused it, or it was put aside. Never rejects.
   */
  async send(replicaId: number, box: SignedBox): Promise<void> {
    const taken = await this.#try(replicaId, box);
    if (!taken && !this.#closed) this.#putAside(replicaId, box);
  }

  /** Whether nothing more has to be done: the peer has the box, or has refused it. */
  async #try(replicaId: number, { boxId, signature, payload }: SignedBox): Promise<boolean> {
    const { linkTo, timing } = this.#options;
    try {
      const link = linkTo(replicaId);
      if (link === undefined) return true;
      const command = { kind: "replicaWrite", boxId, signature, payload } as const;
      const reply = await link.request(command, timing.proxyMs);
      if (reply.kind !== "replicaWriteReply") return false;
      return !temporaryForReplication.has(reply.errorCode);
    } catch {
      return false;
    }
  }

  #putAside(replicaId: number, box: SignedBox): void {
    let boxes = this.#waiting.get(replicaId);
    if (boxes === undefined) {
      boxes = new Map();
      this.#waiting.set(replicaId, boxes);
    }
    const sinceEpoch = this.#options.document()?.epoch ?? 0;
    boxes.set(toHex(box.boxId), { box, sinceEpoch });
    if (boxes.size > longestQueue) {
      for (const oldest of boxes.keys()) {
        boxes.delete(oldest);
        break;
      }
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== null || this.#closed || this.#waiting.size === 0) return;
    const { clock, timing } = this.#options;
    const again = (): void => {
      this.#timer = null;
      void this.#retry();
    };
    const pause = pauseBefore(timing.replicationRetryMs, this.#fruitless);
    this.#timer = clock.after(pause, again, { background: true });
  }

  async #retry(): Promise<void> {
    const rounds = [...this.#waiting].map(([replicaId, boxes]) => this.#retryAt(replicaId, boxes));
    const fruitful = (await Promise.all(rounds)).some((done) => done);
    this.#fruitless = fruitful ? 0 : this.#fruitless + 1;
    this.#arm();
  }

  /**
   * Sends one box after the other until one fails, because then the peer is away. Returns whether
   * any was sent.
   */
  async #retryAt(replicaId: number, boxes: Map<string, Waiting>): Promise<boolean> {
    let fruitful = false;
    for (const [key, waiting] of boxes) {
      const epoch = this.#options.document()?.epoch ?? 0;
      const isOver = epoch - waiting.sinceEpoch > keptEpochs;
      if (!isOver && !(await this.#try(replicaId, waiting.box))) break;
      // A tombstone may have replaced it meanwhile.
      if (boxes.get(key) === waiting) boxes.delete(key);
      fruitful = true;
    }
    if (boxes.size === 0) this.#waiting.delete(replicaId);
    return fruitful;
  }

  /** Drops waiting boxes and cancels all timers. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#waiting.clear();
  }
}
