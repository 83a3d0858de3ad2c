/** Reads a stream of boxes several at a time. */
import type { Bytes } from "../../bytes/bytes.js";
import type { MessageBoxIndex } from "../../bytes/opaque.js";
import { nextMessageBoxIndex } from "../../bacap/message-box-index.js";

/** The most boxes that are read at a time. */
const mostAhead = 8;

/** A stream of boxes, as a copy takes them. */
export interface BoxSource {
  /** The content of the next box. Rejects when it cannot be read. */
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
 * Reads boxes ahead of their consumer and returns them in order. The number of boxes in progress
 * grows with the boxes taken, because the boxes read beyond the end of a stream are wasted.
 */
export class ReadAhead implements BoxSource {
  readonly #read: (index: MessageBoxIndex) => Promise<Bytes>;
  readonly #underWay: Promise<Bytes>[] = [];
  #index: MessageBoxIndex | null;
  #ahead = 1;

  /** @param read returns the content of the box at an index; called once per index, in order. */
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
