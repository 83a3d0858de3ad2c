/** CRC-32 (ISO 3309, as in zlib): it detects accidental damage, not tampering. */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1 ? 0xedb88320 : 0) ^ (value >>> 1);
  return value;
});

/** The checksum of `bytes`. For several arrays in sequence, pass the previous result as `start`. */
export function crc32(bytes: Uint8Array, start = 0): number {
  let value = ~start;
  for (const byte of bytes) value = table[(value ^ byte) & 0xff]! ^ (value >>> 8);
  return ~value >>> 0;
}
