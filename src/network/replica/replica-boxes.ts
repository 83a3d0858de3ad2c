/** What may be written into a box, and what reading it returns (spec/pigeonhole §9.2). */
import { equalBytes, toHex } from "../../bytes/bytes.js";
import { verifyBox } from "../../bacap/box.js";
import type {
  ReplicaReadMessage,
  ReplicaReadReply,
  SignedBox,
} from "../../crypto/envelope/replica-messages.js";
import type { PigeonholeSizes } from "../../pki/pigeonhole-sizes.js";
import {
  REPLICA_ERROR_BOX_ALREADY_EXISTS,
  REPLICA_ERROR_BOX_ID_NOT_FOUND,
  REPLICA_ERROR_DATABASE_FAILURE,
  REPLICA_ERROR_INVALID_PAYLOAD,
  REPLICA_ERROR_INVALID_SIGNATURE,
  REPLICA_ERROR_STORAGE_FULL,
  REPLICA_ERROR_TOMBSTONE,
  REPLICA_SUCCESS,
} from "../../errors/codes.js";
import { refusalOf } from "../ask-replica.js";
import { type BoxStore, type KeptBox, storedBoxLength } from "./box-store.js";

/** What the rules need. */
export interface ReplicaBoxesOptions {
  readonly sizes: PigeonholeSizes;
  readonly store: BoxStore;
  /** The current replica epoch. */
  readonly replicaEpoch: () => number;
  /** How much may be stored, in bytes. */
  readonly limitBytes: () => number;
  /** Called for each box that was put into the store. */
  readonly onStored?: (() => void) | undefined;
}

function isSigned(box: SignedBox): boolean {
  const { boxId, signature, payload } = box;
  return verifyBox({ boxId, signature, ciphertext: payload });
}

function isSameBox(a: SignedBox, b: SignedBox): boolean {
  return equalBytes(a.signature, b.signature) && equalBytes(a.payload, b.payload);
}

/**
 * The boxes of one replica. Once written, a box keeps its content. Writing the same content again
 * is a success, and any other content is refused, except that a tombstone replaces any content.
 * Boxes live through the replica epoch in which they were stored and the next one.
 */
export class ReplicaBoxes {
  readonly #options: ReplicaBoxesOptions;
  readonly #locks = new Map<string, Promise<void>>();

  constructor(options: ReplicaBoxesOptions) {
    this.#options = options;
  }

  async #find(boxId: Uint8Array): Promise<SignedBox | null> {
    const { store } = this.#options;
    const epoch = this.#options.replicaEpoch();
    return (await store.get(epoch, boxId)) ?? (await store.get(epoch - 1, boxId));
  }

  /**
   * Reads a box: code 0 with its content, 11 with a tombstone's signature, 1 if there is nothing, 4
   * if the store failed. Never rejects.
   */
  async read(message: ReplicaReadMessage): Promise<ReplicaReadReply> {
    try {
      const box = await this.#find(message.boxId);
      if (box === null) {
        return refusalOf(message, REPLICA_ERROR_BOX_ID_NOT_FOUND) as ReplicaReadReply;
      }
      const errorCode = box.payload.length === 0 ? REPLICA_ERROR_TOMBSTONE : REPLICA_SUCCESS;
      return { ...box, kind: "read", errorCode };
    } catch {
      return refusalOf(message, REPLICA_ERROR_DATABASE_FAILURE) as ReplicaReadReply;
    }
  }

  /**
   * Stores a box, or returns why not: 3 wrong signature, 4 the store failed, 5 neither empty nor of
   * a box's length, 6 no room, 10 the box holds something else. Never rejects.
   * @returns the code; 0 if the box is there.
   */
  async write({ boxId, signature, payload }: SignedBox): Promise<number> {
    try {
      return await this.#alone(boxId, () => this.#writeAlone({ boxId, signature, payload }));
    } catch {
      return REPLICA_ERROR_DATABASE_FAILURE;
    }
  }

  async #writeAlone(box: SignedBox): Promise<number> {
    const { sizes, store, limitBytes, replicaEpoch, onStored } = this.#options;
    const isTombstone = box.payload.length === 0;
    const present = await this.#find(box.boxId);
    // Most boxes arrive twice, often at the same time, and a box that is there was verified the
    // first time.
    if (present !== null && isSameBox(present, box)) return REPLICA_SUCCESS;
    if (!isTombstone && box.payload.length !== sizes.boxCiphertextLength) {
      return REPLICA_ERROR_INVALID_PAYLOAD;
    }
    if (!isSigned(box)) return REPLICA_ERROR_INVALID_SIGNATURE;
    if (!isTombstone && store.sizeBytes + storedBoxLength(box) > limitBytes()) {
      return REPLICA_ERROR_STORAGE_FULL;
    }
    if (!isTombstone && present !== null) return REPLICA_ERROR_BOX_ALREADY_EXISTS;
    await store.put(replicaEpoch(), box);
    onStored?.();
    return REPLICA_SUCCESS;
  }

  /** Runs `task` when no other task works on the box. */
  async #alone(boxId: Uint8Array, task: () => Promise<number>): Promise<number> {
    const key = toHex(boxId);
    const before = this.#locks.get(key);
    const result = before === undefined ? task() : before.then(task);
    const done = result.then(
      () => {},
      () => {},
    );
    this.#locks.set(key, done);
    try {
      return await result;
    } finally {
      if (this.#locks.get(key) === done) this.#locks.delete(key);
    }
  }

  /** Deletes expired boxes; returns how many. Rejects when the store fails. */
  async collectGarbage(): Promise<number> {
    return this.#options.store.deleteBefore(this.#options.replicaEpoch() - 1);
  }

  /** The boxes that have not expired. */
  async *kept(): AsyncIterable<KeptBox> {
    const oldest = this.#options.replicaEpoch() - 1;
    for await (const kept of this.#options.store.boxes()) if (kept.epoch >= oldest) yield kept;
  }

  /** Whether the store is empty. */
  get isEmpty(): boolean {
    return this.#options.store.size === 0;
  }
}
