/**
 * How much memory decoded values take. A frame's length says little: a map of one byte on the wire
 * takes 220 bytes decoded.
 */

/** Bytes that a map takes; measured on V8, as are those below. */
const MAP = 220;
/** Bytes for each key of a map, and for each value of a map, an object or an array. */
const ENTRY = 24;
/** Bytes that any other object or array takes, and a byte array without its content. */
const OBJECT = 60;
const BYTES = 120;

/**
 * Estimates how many bytes `value` takes in memory, with everything in it; counting stops above
 * `most`. Not for values that contain themselves.
 */
export function decodedSize(value: unknown, most: number): number {
  if (typeof value === "string") return OBJECT + 2 * value.length;
  if (typeof value !== "object" || value === null) return 0;
  if (ArrayBuffer.isView(value)) return BYTES + value.byteLength;
  let size = value instanceof Map ? MAP : OBJECT;
  const add = (member: unknown): void => {
    size += ENTRY;
    if (size <= most) size += decodedSize(member, most - size);
  };
  if (value instanceof Map) {
    for (const [key, member] of value) {
      add(key);
      add(member);
      if (size > most) break;
    }
  } else {
    for (const member of Object.values(value)) {
      add(member);
      if (size > most) break;
    }
  }
  return size;
}
