/** BLAKE2Xb, the BLAKE2b variant with any output length (spec/mixnet §1.2). */
import { BLAKE2b } from "@stablelib/blake2b";
import type { Bytes } from "../bytes/bytes.js";

const blockLength = 64;

/**
 * `length` bytes of BLAKE2Xb over `message`.
 * @param key at most 64 bytes.
 */
export function blake2xb(key: Uint8Array, message: Uint8Array, length: number): Bytes {
  const node = { nodeOffsetHighBits: length, nodeDepth: 0, lastNode: false };
  const root = new BLAKE2b(blockLength, {
    key,
    tree: {
      ...node,
      fanout: 1,
      maxDepth: 1,
      leafSize: 0,
      nodeOffsetLowBits: 0,
      innerDigestLength: 0,
    },
  })
    .update(message)
    .digest();
  const output = new Uint8Array(length);
  for (let block = 0; block * blockLength < length; block++) {
    const at = block * blockLength;
    const tree = {
      ...node,
      fanout: 0,
      maxDepth: 0,
      leafSize: blockLength,
      nodeOffsetLowBits: block,
      innerDigestLength: blockLength,
    };
    output.set(new BLAKE2b(Math.min(blockLength, length - at), { tree }).update(root).digest(), at);
  }
  return output;
}
