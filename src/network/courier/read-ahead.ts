/** Reading a stream of boxes faster than one after the other. */
import type { Bytes } from "../../bytes/bytes.js";
import type { MessageBoxIndex } from "../../bytes/opaque.js";
import { nextMessageBoxIndex } from "../../bacap/message-box-index.js";

/** How many boxes are read at a time, at most. */
const mostAhead = 8;

/** A stream of boxes, as a copy takes them. */
export interface BoxSource {
  /** What the next box holds. Rejects when it cannot be had. */
  next(): Promise<Bytes>;
}

function placeAfter(index: MessageBoxIndex): MessageBoxIndex | null {
  try {
    return nextMessageBoxIndex(index);
  } catch {
    return null;
  }
}

/**
 * Reads boxes ahead of who takes them, and gives them in order. How many grows with those taken,
 * for every stream ends in boxes that were read in vain.
 */
export class ReadAhead implements BoxSource {
  readonly #read: (index: MessageBoxIndex) => Promise<Bytes>;
  readonly #underWay: Promise<Bytes>[] = [];
  #index: MessageBoxIndex | null;
  #ahead = 1;

  /** @param read what the box at a place holds; called for a place once, in order. */
  constructor(start: MessageBoxIndex, read: (index: MessageBoxIndex) => Promise<Bytes>) {
    this.#index = start;
    this.#read = read;
  }

  next(): Promise<Bytes> {
    while (this.#underWay.length < this.#ahead && this.#index !== null) {
      const box = this.#read(this.#index);
      // It may fail long before it is taken, or never be taken.
      box.catch(() => {});
      this.#underWay.push(box);
      this.#index = placeAfter(this.#index);
    }
    this.#ahead = Math.min(this.#ahead + 1, mostAhead);
    return this.#underWay.shift() ?? Promise.reject(new RangeError("the stream has no more boxes"));
  }
}
