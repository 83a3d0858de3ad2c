/** Copy streams from their definition: the whole stream is built at once, then split. */
import { concatBytes } from "../../src/bytes/bytes.js";

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** The elements of a complete stream, for boxes of `boxLength` bytes. */
export function elementsTwin(envelopes: readonly Uint8Array[], boxLength: number): Uint8Array[] {
  const stream = concatBytes(...envelopes.flatMap((one) => [u32(one.length), one]));
  const share = boxLength - 5;
  const count = Math.ceil(stream.length / share);
  return Array.from({ length: count }, (_, i) => {
    const data = stream.subarray(i * share, (i + 1) * share);
    const flags = (i === 0 ? 1 : 0) + (i === count - 1 ? 2 : 0);
    return concatBytes(Uint8Array.of(flags), u32(data.length), data);
  });
}
