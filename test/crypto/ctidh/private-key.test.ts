import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Bytes, type RandomSource, toHex } from "../../../src/bytes/bytes.js";
import { drawPrivateKey } from "../../../src/crypto/ctidh/private-key.js";
import { shake256Random } from "../../../src/bacap/seeded-random.js";

const widths = [2, 3, 5, 4, 6, 6, 6, 6, 6, 7, 7, 7, 6, 7, 7, 5, 6, 5, 10, 3, 10, 5, 1];
const bounds = [2, 4, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5, 5, 3, 6, 2, 6, 2, 0];

test("every batch of exponents keeps its bound, and 983 is never used", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (seed) => {
      const exponents = new Int8Array(drawPrivateKey(shake256Random(seed)));
      assert.equal(exponents.length, 130);
      let at = 0;
      for (const [i, width] of widths.entries()) {
        const batch = exponents.slice(at, at + width);
        assert.ok(batch.reduce((sum, exponent) => sum + Math.abs(exponent), 0) <= bounds[i]!);
        at += width;
      }
      assert.equal(at, 130);
      assert.equal(exponents[129], 0);
    }),
    { numRuns: 50 },
  );
});

/**
 * Returns `first` for the first calls, then `stream`, and counts the bytes taken from the latter.
 */
function prefixed(first: readonly Bytes[], stream: RandomSource) {
  const waiting = [...first];
  const lengths: number[] = [];
  const random: RandomSource = (length) => {
    const prepared = waiting.shift();
    if (prepared !== undefined) {
      assert.equal(prepared.length, length);
      return prepared;
    }
    lengths.push(length);
    return stream(length);
  };
  return { random, lengths };
}

test("a tie among the labels starts the batch again with fresh bytes", () => {
  const seed = Uint8Array.of(1);
  const plain = drawPrivateKey(shake256Random(seed));
  // The first batch has 2 primes and the bound 2: four labels, all equal here except bit 0.
  const tied = prefixed([new Uint8Array(16)], shake256Random(seed));
  assert.equal(toHex(drawPrivateKey(tied.random)), toHex(plain));
});

test("labels are drawn as signed integers whose order places the exponents", () => {
  const labels = (...values: number[]): Bytes => {
    const bytes = new Uint8Array(4 * values.length);
    const view = new DataView(bytes.buffer);
    for (const [i, value] of values.entries()) view.setInt32(4 * i, value, true);
    return bytes;
  };
  // The first two labels are those of the ones: −8 and 20. Both zeros are between them: (0, 2).
  const between = prefixed(
    [labels(-8, 20, 4, 10), Uint8Array.of(2, 0, 0, 0)],
    shake256Random(widthsSeed),
  );
  assert.deepEqual([...new Int8Array(drawPrivateKey(between.random)).subarray(0, 2)], [0, -2]);
  // Both zeros come before the ones: (2, 0).
  const before = prefixed(
    [labels(30, 40, 4, -10), Uint8Array.of(1, 0, 0, 0)],
    shake256Random(widthsSeed),
  );
  assert.deepEqual([...new Int8Array(drawPrivateKey(before.random)).subarray(0, 2)], [-2, 0]);
});

const widthsSeed = Uint8Array.of(9);

test("a zero whose sign would count twice starts the batch again", () => {
  const seed = Uint8Array.of(3);
  const plain = drawPrivateKey(shake256Random(seed));
  const labels = new Uint8Array(16);
  new DataView(labels.buffer).setInt32(0, -8, true);
  new DataView(labels.buffer).setInt32(4, 20, true);
  new DataView(labels.buffer).setInt32(8, 4, true);
  new DataView(labels.buffer).setInt32(12, 10, true);
  // (0, 2) with a sign on the zero, although the batch has no spare zero: 2 primes, bound 2.
  const refused = prefixed([labels, Uint8Array.of(1, 0, 0, 0)], shake256Random(seed));
  assert.equal(toHex(drawPrivateKey(refused.random)), toHex(plain));
});

test("a key without restarts takes four bytes per label and at least four per batch of signs", () => {
  const { random, lengths } = prefixed([], shake256Random(Uint8Array.of(0)));
  drawPrivateKey(random);
  assert.ok(lengths.length >= 2 * widths.length);
  assert.equal(lengths[0], 4 * (widths[0]! + bounds[0]!));
  assert.ok(lengths.every((length) => length % 4 === 0));
});
