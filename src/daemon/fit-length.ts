/** Identifiers with a wrong length. */
import { type Bytes, copyBytes } from "../bytes/bytes.js";

/**
 * Cuts `bytes`, or pads it with zeros, to `length`, as Go's decoder does with identifiers of a
 * wrong length (spec/thin-protocol §2). Clients that send them expect them back in that form.
 */
export function fitLength(bytes: Uint8Array, length: number): Bytes {
  if (bytes.length === length) return copyBytes(bytes);
  const fitted = new Uint8Array(length);
  fitted.set(bytes.subarray(0, length));
  return fitted;
}
