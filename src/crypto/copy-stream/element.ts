/** Elements: the pieces of a copy stream, one in each box (spec/pigeonhole §5 and §8). */
import type { Bytes } from "../../bytes/bytes.js";
import { FieldReader, FieldWriter } from "../envelope/fixed-layout.js";

/** Flag bit of an element: the first of its stream. */
export const COPY_STREAM_START = 1;
/** Flag bit of an element: the last of its stream. */
export const COPY_STREAM_FINAL = 2;

/** A piece of a copy stream. */
export interface CopyStreamElement {
  /** Bits: 1 first of the stream, 2 last of the stream; others are ignored. */
  readonly flags: number;
  /** Its part of the stream. */
  readonly data: Uint8Array;
}

/**
 * Encodes an element: flags ‖ data length (4) ‖ data. @throws RangeError when the flags exceed one
 * byte.
 */
export function encodeCopyStreamElement(element: CopyStreamElement): Bytes {
  return new FieldWriter().u8("flags", element.flags).prefixed("data", element.data).finish();
}

/** Reads an element. @throws ProtocolError `data too short`. */
export function decodeCopyStreamElement(bytes: Uint8Array) {
  const reader = new FieldReader(bytes);
  return { flags: reader.u8(), data: reader.take(reader.u32()) };
}

/** Whether an element is marked as the first of its stream. */
export function isStartElement(flags: number): boolean {
  return (flags & COPY_STREAM_START) !== 0;
}

/** Whether an element is marked as the last of its stream. */
export function isFinalElement(flags: number): boolean {
  return (flags & COPY_STREAM_FINAL) !== 0;
}
