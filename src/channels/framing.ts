/**
 * How a message becomes boxes, and boxes a message.
 *
 * A box holds one prefix byte and content. The prefixes `F`, `C` and `I` are katzenqt's; `c` and `f`
 * are ours. They say that a box continues a message, so that a reader who lost boxes never takes the
 * rest of a message for a whole one.
 */
import { concatBytes } from "../bytes/bytes.js";

/** What a prefix byte says. */
const prefix = {
  /** `F`: a whole message, or in katzenqt's form the last box of one. */
  whole: 0x46,
  /** `C`: the first box of a longer message, or in katzenqt's form any box but the last. */
  first: 0x43,
  /** `c`: neither the first nor the last box. */
  middle: 0x63,
  /** `f`: the last of several boxes. */
  last: 0x66,
  /** `I`: a ReadCap (136 bytes) of a side stream that holds the message. */
  side: 0x49,
} as const;

/** Length of an `I` box: the prefix and a ReadCap. */
const SIDE_BOX_LENGTH = 137;

/** A box of a channel. */
export interface ChannelBox {
  readonly kind: keyof typeof prefix | "other";
  /** Everything behind the prefix; of an `other` box everything. A view. */
  readonly content: Uint8Array;
}

/**
 * Cuts a message into the plaintexts of its boxes, at least one.
 * @param boxLength bytes that a box holds, the prefix included; at least 2.
 */
export function cutMessage(message: Uint8Array, boxLength: number): Uint8Array[] {
  const contentLength = boxLength - 1;
  if (message.length <= contentLength) return [box(prefix.whole, message)];
  const boxes: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += contentLength) {
    const isLast = at + contentLength >= message.length;
    const kind = at === 0 ? prefix.first : isLast ? prefix.last : prefix.middle;
    boxes.push(box(kind, message.subarray(at, at + contentLength)));
  }
  return boxes;
}

function box(kind: number, content: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(kind), content);
}

/** How many boxes a message of `length` bytes takes. */
export function boxesFor(length: number, boxLength: number): number {
  return Math.max(1, Math.ceil(length / (boxLength - 1)));
}

/** Reads a box's plaintext. Whatever is in it, this does not throw. */
export function parseBox(plaintext: Uint8Array): ChannelBox {
  const content = plaintext.subarray(1);
  switch (plaintext[0]) {
    case prefix.whole:
      return { kind: "whole", content };
    case prefix.first:
      return { kind: "first", content };
    case prefix.middle:
      return { kind: "middle", content };
    case prefix.last:
      return { kind: "last", content };
    case prefix.side:
      if (plaintext.length === SIDE_BOX_LENGTH) return { kind: "side", content };
  }
  return { kind: "other", content: plaintext };
}
