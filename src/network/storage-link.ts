/** The wire between couriers and replicas, and between replicas (spec/pigeonhole §5.1). */
import type { Bytes } from "../bytes/bytes.js";
import type { Clock, Timer } from "../clock/clock.js";
import {
  type ReplicaCommand,
  decodeReplicaCommand,
  encodeReplicaCommand,
} from "../crypto/envelope/wire-commands.js";
import type { PigeonholeSizes } from "../pki/pigeonhole-sizes.js";
import { ProtocolError } from "../errors/errors.js";
import type { TraceHook } from "../mixnet/trace.js";
import type { StoragePace } from "./storage-pace.js";

/** How many commands may wait to leave; more are refused. */
const longestQueue = 64;
/** How many commands may be unanswered; more are refused. */
const mostUnanswered = 1024;

/** The kind of the connecting peer: replicas treat the two differently. */
export type StoragePeer = "courier" | "replica";

/** A command between a courier and a replica, or between two replicas, without its contents. */
export interface StorageTrace {
  /** Who reports it: the embedded network's storage. */
  readonly source: "storage";
  /** `asked`: a command left; `answered`: its answer arrived. */
  readonly event: "asked" | "answered";
  /** When it happened, in ms since 1970, by the clock of the network. */
  readonly at: number;
  /** The courier's node, or the replica, that asked. */
  readonly from: string;
  /** The replica that was asked. */
  readonly to: string;
  /**
   * The kind of node that asked: a replica asks on behalf of others, or passes a box to its other
   * shard.
   */
  readonly peer: StoragePeer;
}

/** Why a command got no answer: not connected, queue full, closed, or too late. */
export class StorageLinkError extends Error {
  override readonly name = "StorageLinkError";
}

/** The faults of the connection to a replica. */
export interface LinkConditions {
  /** Whether it is unreachable. */
  readonly offline: boolean;
  /** How much longer each of its answers takes, in ms. */
  readonly slowMs: number;
  /** Whether the next command gets lost; called once per command. */
  takeLoss(): boolean;
}

/** The accepting end. */
export interface StorageLinkTarget {
  /** The faults of the connection; read for each command and each answer. */
  readonly faults: LinkConditions;
  /** Takes an encoded command; returns the encoded answer, or null if there is none. */
  receive(bytes: Bytes, from: StoragePeer): Promise<Bytes | null>;
}

/** What a link needs. */
export interface StorageLinkOptions {
  readonly clock: Clock;
  readonly pace: StoragePace;
  readonly sizes: PigeonholeSizes;
  readonly from: StoragePeer;
  readonly target: StorageLinkTarget;
  /** Called when a target throws, which none should. */
  readonly onFault?: ((error: Error) => void) | undefined;
  /** Receives each command and each answer, with the names of both ends; null for no trace. */
  readonly trace?: {
    readonly hook: TraceHook<StorageTrace>;
    readonly from: string;
    readonly to: string;
  } | null;
}

interface Outgoing {
  readonly bytes: Bytes;
  readonly onReply: (reply: ReplicaCommand) => void;
}

/** The connecting end of one connection to a replica. */
export class StorageLink {
  readonly #options: StorageLinkOptions;
  readonly #queue: Outgoing[] = [];
  readonly #timers = new Set<Timer>();
  readonly #requests = new Set<(error: StorageLinkError) => void>();
  #sending = false;
  #unanswered = 0;
  #closed = false;

  constructor(options: StorageLinkOptions) {
    this.#options = options;
  }

  /** Whether commands can be sent. */
  get connected(): boolean {
    return !this.#closed && !this.#options.target.faults.offline;
  }

  /**
   * Sends a command. `onReply` is called with the answer, never before this returns. It is not
   * called if the command or its answer is lost.
   * @throws StorageLinkError when not connected, or when too many commands are on their way;
   * TypeError, RangeError when the command does not fit the geometry.
   */
  send(command: ReplicaCommand, onReply: (reply: ReplicaCommand) => void): void {
    if (!this.connected) throw new StorageLinkError("not connected");
    if (this.#queue.length >= longestQueue || this.#unanswered >= mostUnanswered) {
      throw new StorageLinkError("too many commands are on their way");
    }
    const bytes = encodeReplicaCommand(command, this.#options.sizes.wireCommandLength);
    this.#queue.push({ bytes, onReply });
    if (!this.#sending) this.#sendNext();
  }

  /**
   * Sends a command and waits for its answer.
   * @throws (rejects) as {@link send}; StorageLinkError when there is no answer within `timeoutMs`.
   */
  request(command: ReplicaCommand, timeoutMs: number): Promise<ReplicaCommand> {
    return new Promise((resolve, reject) => {
      this.send(command, (reply) => {
        timer.cancel();
        this.#timers.delete(timer);
        this.#requests.delete(reject);
        resolve(reply);
      });
      const timer = this.#after(timeoutMs, () => {
        this.#requests.delete(reject);
        reject(new StorageLinkError(`no answer within ${timeoutMs} ms`));
      });
      this.#requests.add(reject);
    });
  }

  #after(ms: number, callback: () => void): Timer {
    const timer = this.#options.clock.after(ms, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
    return timer;
  }

  #sendNext(): void {
    this.#sending = this.#queue.length > 0;
    if (!this.#sending) return;
    const delay = this.#options.pace.sendDelayMs();
    const leave = (): void => {
      const outgoing = this.#queue.shift();
      if (outgoing !== undefined && !this.#closed) void this.#deliver(outgoing);
      this.#sendNext();
    };
    if (delay === null) leave();
    else this.#after(delay, leave);
  }

  async #deliver({ bytes, onReply }: Outgoing): Promise<void> {
    const { target, sizes, from, pace } = this.#options;
    const { faults } = target;
    this.#trace("asked");
    if (faults.takeLoss()) return;
    this.#unanswered++;
    try {
      await Promise.resolve();
      const answer = faults.offline ? null : await target.receive(bytes, from);
      const delay = (pace.answerDelayMs() ?? 0) + faults.slowMs;
      if (delay > 0) await new Promise<void>((resolve) => this.#after(delay, resolve));
      if (answer === null || this.#closed || faults.offline) return;
      this.#trace("answered");
      onReply(decodeReplicaCommand(answer, sizes.nikePublicKeyLength));
    } catch (error) {
      // A malformed answer counts as none; the sender of the command has a deadline.
      if (!(error instanceof ProtocolError)) this.#options.onFault?.(error as Error);
    } finally {
      this.#unanswered--;
    }
  }

  #trace(event: "asked" | "answered"): void {
    const { trace, clock, from: peer } = this.#options;
    if (!trace) return;
    const { hook, from, to } = trace;
    hook({ source: "storage", event, at: clock.now(), from, to, peer });
  }

  /**
   * Ends the connection: requests on their way reject, and all timers are cancelled. Idempotent.
   */
  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    for (const reject of this.#requests) reject(new StorageLinkError("closed"));
    this.#requests.clear();
  }
}
