/** Replies that wait at a gateway for their clients (spec/mixnet §7.1 and §7.5). */
import { toHex } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import type { NetworkTime } from "./network-time.js";

/** The most replies that wait at a gateway, of all clients together; upstream has no limit. */
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
  /** Callbacks for a stored reply: the links with this queue ID. */
  readonly links: Set<() => void>;
}

/** What a spool needs. */
export interface SpoolOptions {
  readonly clock: Clock;
  readonly time: NetworkTime;
  /** Called when a client has taken a reply. */
  readonly onTaken: () => void;
  /** Called when a reply is dropped: its client did not come, or there were too many. */
  readonly onDropped: () => void;
}

/**
 * A first-in, first-out queue for each queue ID, connected or not. Replies for clients that are
 * away are dropped at the end of the epoch.
 */
export class Spool {
  /** The most replies that wait here, of all clients together. */
  readonly mostReplies = MAX_STORED_REPLIES;
  readonly #options: SpoolOptions;
  // Queues in the order in which they were created.
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

  /** Registers a link for a queue ID; `onStored` is called for each reply that is stored for it. */
  attach(queueId: Uint8Array, onStored: () => void): () => void {
    const name = toHex(queueId);
    const queue = this.#queue(name);
    queue.links.add(onStored);
    return () => {
      queue.links.delete(onStored);
      if (queue.links.size === 0 && queue.replies.length === 0) this.#queues.delete(name);
    };
  }

  /** Stores a reply, and notifies the links of its queue ID. */
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

  /** The oldest reply of a queue ID; null if none waits. */
  first(queueId: Uint8Array): StoredReply | null {
    return this.#queues.get(toHex(queueId))?.replies[0] ?? null;
  }

  /** Removes a reply that a client has taken. Harmless if it is already gone. */
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

  /** Drops the replies of clients that are away. */
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

  /**
   * Makes room by dropping the queue of the client that has been away longest. Returns whether
   * there is room.
   */
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
