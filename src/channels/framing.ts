/**
 * How messages are cut into boxes, and joined again.
 *
 * A box begins with a prefix byte. `F`, `C` and `I` are katzenqt's, whose boxes are written one
 * after the other. `M`, `m`, `n` and `o` are ours, whose boxes are written several at once. Ours
 * carry a second byte: how many boxes before this one were not known to be stored when the message
 * was put into the outbox (255: that many or more). With it a reader can tell whether a missing box
 * is gone for good or still on its way. Our boxes also mark continuations, so that a reader who
 * lost boxes never takes the rest of a message for a whole one.
 */
import { concatBytes } from "../bytes/bytes.js";

/** The format of a channel's messages; readers know both. */
export type ChannelFormat = "native" | "katzenqt";

/**
 * The most boxes of one channel that are on their way at once in our own format, counted from the
 * oldest that is not stored. So if a box is there, all boxes at least this far before it were
 * stored at some time.
 */
export const NATIVE_WINDOW = 8;

const native = { whole: 0x4d, first: 0x6d, middle: 0x6e, last: 0x6f } as const;
const katzenqt = { last: 0x46, first: 0x43, side: 0x49 } as const;

/** Length of an `I` box: the prefix and a ReadCap. */
const SIDE_BOX_LENGTH = 137;
/** The highest value of the second byte. */
const MOST_BEHIND = 255;

/** Bytes of a box that are not content. */
export function framingLength(format: ChannelFormat): number {
  return format === "native" ? 2 : 1;
}

/** A box of a channel. */
export interface ChannelBox {
  /**
   * `whole`, `first`, `middle`, `last`: a part of a message in our format; `chain`: a katzenqt box
   * that the next box continues; `end`: katzenqt's last or only box; `side`: a ReadCap; `other`:
   * none of these.
   */
  readonly kind: "whole" | "first" | "middle" | "last" | "chain" | "end" | "side" | "other";
  /** Everything after the prefix and the second byte; the whole box if it is `other`. A view. */
  readonly content: Uint8Array;
  /**
   * How many boxes directly before it may not have been stored; all earlier ones were stored at
   * some time.
   */
  readonly behind: number;
}

/**
 * Cuts a message into the plaintexts of its boxes, at least one.
 * @param boxLength bytes that a box holds, including the bytes of the format.
 */
export function cutMessage(
  message: Uint8Array,
  boxLength: number,
  format: ChannelFormat,
): Uint8Array[] {
  const contentLength = boxLength - framingLength(format);
  const boxes: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < message.length; at += contentLength) {
    const isLast = at + contentLength >= message.length;
    const prefix =
      format === "native"
        ? Uint8Array.of(nativePrefix(at === 0, isLast), 0)
        : Uint8Array.of(isLast ? katzenqt.last : katzenqt.first);
    boxes.push(concatBytes(prefix, message.subarray(at, at + contentLength)));
  }
  return boxes;
}

/** Bytes that katzenqt puts into one box, including the prefix; it also reads longer ones. */
export const KATZENQT_BOX_LENGTH = 1530;

/**
 * Cuts a message as katzenqt does: into the channel if it fits into one box, otherwise into a
 * stream of its own.
 * @param boxLength bytes that a box holds.
 */
export function cutKatzenqtMessage(
  message: Uint8Array,
  boxLength: number,
): { readonly boxes: Uint8Array[]; readonly isSideStream: boolean } {
  const boxes = cutMessage(message, Math.min(boxLength, KATZENQT_BOX_LENGTH), "katzenqt");
  return { boxes, isSideStream: boxes.length > 1 };
}

/** The box that refers to a side stream, which must be stored completely before. */
export function sideStreamBox(readCap: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(katzenqt.side), readCap);
}

function nativePrefix(isFirst: boolean, isLast: boolean): number {
  if (isFirst) return isLast ? native.whole : native.first;
  return isLast ? native.last : native.middle;
}

/**
 * Writes into the boxes of a message how many boxes before the first one were not known to be
 * stored. Boxes in katzenqt's format have no place for this number and do not need it.
 */
export function noteBehind(boxes: readonly Uint8Array[], behind: number): void {
  for (const [i, box] of boxes.entries()) {
    if (isNative(box)) box[1] = Math.min(MOST_BEHIND, behind + i);
  }
}

function isNative(box: Uint8Array): boolean {
  const prefix = box[0];
  const isOurs = Object.values(native).some((one) => one === prefix);
  return isOurs && box.length >= 2;
}

/** Reads a box's plaintext. It never throws, whatever the box contains. */
export function parseBox(plaintext: Uint8Array): ChannelBox {
  if (isNative(plaintext)) {
    const kind = (Object.keys(native) as (keyof typeof native)[]).find(
      (name) => native[name] === plaintext[0],
    )!;
    // Anybody may write any second byte, but a writer has at most this many boxes on their way.
    const behind = Math.min(plaintext[1]!, NATIVE_WINDOW - 1);
    return { kind, content: plaintext.subarray(2), behind };
  }
  const content = plaintext.subarray(1);
  switch (plaintext[0]) {
    case katzenqt.last:
      return { kind: "end", content, behind: 0 };
    case katzenqt.first:
      return { kind: "chain", content, behind: 0 };
    case katzenqt.side:
      if (plaintext.length === SIDE_BOX_LENGTH) return { kind: "side", content, behind: 0 };
  }
  return { kind: "other", content: plaintext, behind: NATIVE_WINDOW - 1 };
}
