/** What the sender of a message learns about it. */
import type { MessageBoxIndex } from "../bytes/opaque.js";

/** The progress of a message. */
export type DeliveryState = "queued" | "sent" | "stored" | "failed";

/** A message that is durable here and on its way. */
export interface Delivery {
  /** Increases within the channel, not always by one; readers see the same number. */
  readonly id: bigint;
  /**
   * - `queued`: stored here; none of its boxes has left.
   * - `sent`: some of its boxes are on their way.
   * - `stored`: the replicas have all of its boxes.
   * - `failed`: the channel is forked; see {@link stored}.
   */
  readonly state: DeliveryState;
  /** How many boxes it takes: each is a write on the network. */
  readonly boxes: number;
  /** How many of them the replicas have, as far as this store knows: after a crash up to 15 less. */
  readonly boxesStored: number;
  /** The error of the last attempt, which will be repeated; null if it did not fail. */
  readonly lastError: unknown;
  /**
   * Resolves when the replicas have all of its boxes. Rejects with `ChannelForkedError`, or with
   * `ChannelStoreError` when the channels are closed first; then the message stays in the outbox.
   * You may ignore this promise.
   */
  readonly stored: Promise<void>;
}

/** A delivery whose progress is known. */
export class Tracked implements Delivery {
  readonly id: bigint;
  /** Its number in the outbox. */
  readonly seq: number;
  /** The box after it; null if the message was durable before. */
  readonly next: MessageBoxIndex | null;
  readonly boxes: number;
  boxesStored = 0;
  state: DeliveryState = "queued";
  lastError: unknown = null;
  readonly stored: Promise<void>;
  #settle!: { resolve: () => void; reject: (error: unknown) => void };

  constructor(id: bigint, seq: number, boxes: number, next: MessageBoxIndex | null = null) {
    this.id = id;
    this.seq = seq;
    this.boxes = boxes;
    this.next = next;
    this.stored = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.stored.catch(() => {});
  }

  /** It continues after so many boxes. */
  resume(boxesStored: number): void {
    if (this.state === "queued") this.state = "sent";
    this.boxesStored = boxesStored;
  }

  boxStored(): void {
    this.boxesStored++;
    this.lastError = null;
  }

  succeed(): void {
    this.state = "stored";
    this.boxesStored = this.boxes;
    this.lastError = null;
    this.#settle.resolve();
  }

  fail(error: unknown, state: DeliveryState = this.state): void {
    this.state = state;
    this.#settle.reject(error);
  }
}
