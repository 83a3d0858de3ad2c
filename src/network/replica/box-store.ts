/** Where a replica keeps its boxes. */
import { toHex } from "../../bytes/bytes.js";
import type { SignedBox } from "../../crypto/envelope/replica-messages.js";
import type { MaybePromise } from "../../crypto/nike/scheme.js";

/** A box and the replica epoch in which it was stored. */
export interface KeptBox {
  /**
   * The replica epoch (a week) in which this replica stored it; it decides when the box is deleted.
   */
  readonly epoch: number;
  /** The signed box; an empty payload is a tombstone. */
  readonly box: SignedBox;
}

/**
 * Stores boxes by the replica epoch in which they were stored, and by their ID. It has no rules:
 * the layer above decides what may replace what. Operations may be asynchronous; a failure is
 * reported to clients as a database error (code 4).
 */
export interface BoxStore {
  /** The box stored in that epoch; null if there is none. */
  get(epoch: number, boxId: Uint8Array): MaybePromise<SignedBox | null>;
  /**
   * Stores a box, replacing one with the same epoch and ID. When it is done, the box is durable.
   */
  put(epoch: number, box: SignedBox): MaybePromise<void>;
  /** Deletes all boxes stored before that epoch; returns how many. */
  deleteBefore(epoch: number): MaybePromise<number>;
  /** All boxes, in any order. Boxes added or deleted meanwhile may or may not appear. */
  boxes(): Iterable<KeptBox> | AsyncIterable<KeptBox>;
  /** How many boxes there are. */
  readonly size: number;
  /** The size of all boxes in bytes: for each its payload, and 100 bytes for the rest. */
  readonly sizeBytes: number;
  /** Finishes pending work and closes. Idempotent. */
  close(): MaybePromise<void>;
}

/** The stored size of a box in bytes: ID (32), payload length (4), payload, signature (64). */
export function storedBoxLength(box: SignedBox): number {
  return 100 + box.payload.length;
}

/** Boxes in memory: they are gone when the process ends. */
export class MemoryBoxStore implements BoxStore {
  readonly #epochs = new Map<number, Map<string, SignedBox>>();
  #size = 0;
  #sizeBytes = 0;

  get size(): number {
    return this.#size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(epoch: number, boxId: Uint8Array): SignedBox | null {
    return this.#epochs.get(epoch)?.get(toHex(boxId)) ?? null;
  }

  put(epoch: number, box: SignedBox): void {
    let boxes = this.#epochs.get(epoch);
    if (boxes === undefined) {
      boxes = new Map();
      this.#epochs.set(epoch, boxes);
    }
    const key = toHex(box.boxId);
    const replaced = boxes.get(key);
    if (replaced === undefined) this.#size++;
    else this.#sizeBytes -= storedBoxLength(replaced);
    this.#sizeBytes += storedBoxLength(box);
    boxes.set(key, box);
  }

  deleteBefore(epoch: number): number {
    let deleted = 0;
    for (const [stored, boxes] of this.#epochs) {
      if (stored >= epoch) continue;
      this.#epochs.delete(stored);
      deleted += boxes.size;
      for (const box of boxes.values()) this.#sizeBytes -= storedBoxLength(box);
    }
    this.#size -= deleted;
    return deleted;
  }

  *boxes(): Iterable<KeptBox> {
    for (const [epoch, boxes] of this.#epochs) {
      for (const box of boxes.values()) yield { epoch, box };
    }
  }

  close(): void {}
}
