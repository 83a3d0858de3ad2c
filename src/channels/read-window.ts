/**
 * The next boxes of one stream that a reader asks for. While boxes are there, several are asked for
 * at once, and another one as soon as one has come; they are handed out in their order.
 */
import { nextMessageBoxIndex } from "../bacap/message-box-index.js";
import type { MessageBoxIndex } from "../bytes/opaque.js";
import type { BoxResult } from "./channel-client.js";

/** The most boxes of one stream that are asked for, or wait for one before them, at once. */
const LARGEST = 8;

/** The place of a box. */
interface Place {
  readonly index: MessageBoxIndex;
  state: "due" | "asked" | "found" | "missing";
  /** The box, if it was found. */
  result: BoxResult | null;
}

/** A question that was begun. Call exactly one of its methods. */
export interface Question {
  readonly index: MessageBoxIndex;
  /** The box was there, or is deleted. */
  found(result: BoxResult): void;
  /** The box was not there. @returns whether it is the next one to hand out. */
  missing(): boolean;
  /** Nobody knows whether the box was there. */
  failed(): void;
}

/** The boxes from a reader's cursor on. */
export class ReadWindow {
  /** In their order, from the next box to hand out; never empty. */
  readonly #places: Place[];
  #size: number;

  /** @param size how many boxes to ask for at once in the beginning. */
  constructor(next: MessageBoxIndex, size = 1) {
    this.#places = [placeOf(next)];
    this.#size = size;
  }

  /** How many boxes are asked for at once; more than one if the last one was there. */
  get size(): number {
    return this.#size;
  }

  /** Whether there is a box to ask for. */
  get isOpen(): boolean {
    return this.#due !== -1;
  }

  /** Begins a question. Call it only while {@link isOpen}. */
  ask(): Question {
    const at = this.#due;
    if (at === this.#places.length) this.#places.push(placeAfter(this.#places.at(-1)!));
    const place = this.#places[at]!;
    place.state = "asked";
    return {
      index: place.index,
      found: (result) => {
        place.state = "found";
        place.result = result;
        // One more for each that was there: twice as many in each round trip.
        this.#size = Math.min(LARGEST, this.#size + 1);
      },
      missing: () => {
        place.state = "missing";
        const isNext = place === this.#places[0];
        if (isNext) this.#beginAgain();
        return isNext;
      },
      failed: () => {
        place.state = "due";
        this.#size = 1;
      },
    };
  }

  /** The next box to ask for: its place, which may be a new one; -1 if there is none. */
  get #due(): number {
    for (const [at, { state }] of this.#places.entries()) {
      if (at === this.#size) return -1;
      if (state === "due") return at;
      // It is asked for again when all boxes in front of it have come, and those behind it then too.
      if (state === "missing") return -1;
    }
    return this.#places.length < this.#size ? this.#places.length : -1;
  }

  /** The boxes that can be handed out, in their order. */
  get found(): readonly BoxResult[] {
    const results: BoxResult[] = [];
    for (const { result } of this.#places) {
      if (!result) break;
      results.push(result);
    }
    return results;
  }

  /** The first `count` boxes of {@link found} were handed out. */
  advance(count: number): void {
    const last = this.#places[count - 1]!;
    this.#places.splice(0, count);
    if (this.#places.length === 0) this.#places.push(placeAfter(last));
    if (this.#places[0]!.state === "missing") this.#beginAgain();
  }

  /** Asks for the next box alone, and then again for those behind it that were missing. */
  #beginAgain(): void {
    this.#size = 1;
    for (const place of this.#places) {
      if (place.state === "missing") place.state = "due";
    }
  }
}

function placeOf(index: MessageBoxIndex): Place {
  return { index, state: "due", result: null };
}

function placeAfter({ index }: Place): Place {
  return placeOf(nextMessageBoxIndex(index));
}
