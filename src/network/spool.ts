/** Replies that wait at a gateway for their clients. spec/mixnet §7.1 and §7.5. */
import { toHex } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { NetworkTime } from "./network-time.js";

/** Most replies that wait at a gateway, all clients' together; upstream has no limit. */
const MAX_STORED_REPLIES = 16_384;

/** A reply as it arrived at the gateway. */
export interface StoredReply {
  /** 16 bytes. */
  readonly surbId: Uint8Array;
  /** `payloadTagLength` and `forwardPayloadLength` bytes. */
  readonly ciphertext: Uint8Array;
}

interface Queue {
  readonly replies: StoredReply[];
  /** Those who are told when a reply is stored: the links of this queue ID. */
  readonly links: Set<() => void>;
}

/** What a spool works with. */
export interface SpoolOptions {
  readonly clock: Clock;
  readonly time: NetworkTime;
  /** A reply was taken over by its client. */
  readonly onTaken: () => void;
  /** A reply was dropped: its client did not come, or there were too many. */
  readonly onDropped: () => void;
}

/**
 * First in, first out for each queue ID, connected or not; what waits for clients that are away is
 * dropped at the end of the epoch.
 */
export class Spool {
  /** Most replies that wait here, all clients' together. */
  readonly mostReplies = MAX_STORED_REPLIES;
  readonly #options: SpoolOptions;
  // In the order in which queues came to be.
  readonly #queues = new Map<string, Queue>();
  #size = 0;
  #timer: Timer | null = null;

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  /** How many replies wait. */
  get size(): number {
    return this.#size;
  }

  /** A link for a queue ID is there; `onStored` is called with each reply that is stored for it. */
  attach(queueId: Uint8Array, onStored: () => void): () => void {
    const name = toHex(queueId);
    const queue = this.#queue(name);
    queue.links.add(onStored);
    return () => {
      queue.links.delete(onStored);
      if (queue.links.size === 0 && queue.replies.length === 0) this.#queues.delete(name);
    };
  }

  /** Files a reply, and tells the links of its queue ID. */
  store(queueId: Uint8Array, reply: StoredReply): void {
    if (this.#size >= MAX_STORED_REPLIES && !this.#makeRoom()) {
      this.#options.onDropped();
      return;
    }
    const queue = this.#queue(toHex(queueId));
    queue.replies.push(reply);
    this.#size++;
    this.#arm();
    for (const onStored of queue.links) onStored();
  }

  /** The oldest reply of a queue ID; null when none waits. */
  first(queueId: Uint8Array): StoredReply | null {
    return this.#queues.get(toHex(queueId))?.replies[0] ?? null;
  }

  /** A client has taken a reply over. Harmless when it is gone. */
  remove(queueId: Uint8Array, reply: StoredReply): void {
    const replies = this.#queues.get(toHex(queueId))?.replies ?? [];
    const at = replies.indexOf(reply);
    if (at < 0) return;
    replies.splice(at, 1);
    this.#size--;
    this.#options.onTaken();
  }

  /** Drops the oldest reply of a queue ID unsent. */
  dropFirst(queueId: Uint8Array): void {
    if (this.#queues.get(toHex(queueId))?.replies.shift() === undefined) return;
    this.#size--;
    this.#options.onDropped();
  }

  /** Drops what waits for clients that are away. */
  sweep(): void {
    for (const [name, queue] of this.#queues) if (queue.links.size === 0) this.#drop(name, queue);
  }

  /** Forgets everything. */
  close(): void {
    this.#timer?.cancel();
    this.#queues.clear();
    this.#size = 0;
  }

  #queue(name: string): Queue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = { replies: [], links: new Set() };
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #drop(name: string, { replies }: Queue): void {
    this.#queues.delete(name);
    this.#size -= replies.length;
    for (let i = 0; i < replies.length; i++) this.#options.onDropped();
  }

  /** Whether there is room again: the queue of the client that has been away longest goes. */
  #makeRoom(): boolean {
    for (const [name, queue] of this.#queues) {
      if (queue.links.size > 0) continue;
      this.#drop(name, queue);
      return true;
    }
    return false;
  }

  #arm(): void {
    if (this.#timer !== null) return;
    const { clock, time } = this.#options;
    const untilNext = Math.max(1, Math.ceil(time.epoch().leftMs));
    this.#timer = clock.after(
      untilNext,
      () => {
        this.#timer = null;
        this.sweep();
        if (this.#size > 0) this.#arm();
      },
      { background: true },
    );
  }
}
