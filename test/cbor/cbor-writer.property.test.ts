/** Our CBOR writer compared with a general encoder, and with our reader. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "cborg";
import * as fc from "fast-check";
import { toHex } from "../../src/bytes/bytes.js";
import { type Encodable, decodeCbor, encodeCbor } from "../../src/cbor/cbor.js";

const RUNS = 3000;

const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, -1, -24, -25, -257),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
);

/** Numbers that need half precision's smallest exponent; the general encoder gets them wrong. */
const isSubnormalHalf = (value: number): boolean =>
  value !== 0 && Math.abs(value) < 2 ** -14 && Number.isInteger(value * 2 ** 24);

/** Numbers near the limits of every precision. */
const anyFloat = fc.oneof(
  fc.double(),
  fc.float(),
  fc.constantFrom(
    0.5,
    1.5,
    65_504.5,
    2 ** -14 * 1.5,
    2 ** -24,
    2 ** -25,
    2 ** -24 * 1.5,
    1e-8,
    0.1,
  ),
  fc.constantFrom(NaN, Infinity, -Infinity, 2 ** 60, -(2 ** 60), 2 ** -15 * 1.5, 2047 / 1024),
);

const float = anyFloat.filter((value) => !isSubnormalHalf(value));
const bytes = fc.uint8Array({ maxLength: 300 });
const text = fc.string({ unit: "grapheme", maxLength: 40 });

const { value } = fc.letrec<{ value: Encodable }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    integer,
    float,
    text,
    bytes,
    fc.constantFrom(null, true, false),
    fc.array(tie("value"), { maxLength: 30 }),
    fc.dictionary(text, tie("value"), { maxKeys: 30 }),
  ),
}));

test("the writer writes the same bytes as a general encoder", () => {
  let runs = 0;
  fc.assert(
    fc.property(value, (given) => {
      runs++;
      assert.equal(toHex(encodeCbor(given)), toHex(encode(given)));
    }),
    { numRuns: RUNS },
  );
  assert.ok(runs >= RUNS);
});

test("maps keyed by numbers and bytes are written in canonical order", () => {
  type Key = number | Uint8Array;
  const pairsOf = (key: fc.Arbitrary<Key>): fc.Arbitrary<[Key, Encodable][]> =>
    fc.uniqueArray(fc.tuple(key, integer), {
      selector: ([name]) => (typeof name === "number" ? name : toHex(name)),
      maxLength: 40,
    });
  // The general encoder sorts keys of several types first by type.
  const pairs = fc.oneof(pairsOf(fc.nat()), pairsOf(fc.uint8Array({ maxLength: 40 })));
  fc.assert(
    fc.property(pairs, (members) => {
      assert.equal(toHex(encodeCbor(new Map(members))), toHex(encode(new Map(members))));
    }),
    { numRuns: 500 },
  );
});

test("floats are as short as possible, subnormal ones too", () => {
  // RFC 7049, section 3.9, requires the shortest form; the bits are those of IEEE 754.
  const forms: readonly (readonly [number, string])[] = [
    [2 ** -14, "f90400"],
    [2 ** -15 * 1.5, "f90300"],
    [2 ** -24, "f90001"],
    [-(2 ** -24), "f98001"],
    [2 ** -24 * 1023, "f903ff"],
    [2 ** -25, "fa33000000"],
    [2 ** -24 * 1.5, "fa33c00000"],
    [65_504.5, "fa477fe080"],
    [0.1, "fb3fb999999999999a"],
  ];
  for (const [number, form] of forms) {
    assert.equal(toHex(encodeCbor(number)), form, String(number));
    assert.equal(decodeCbor(encodeCbor(number)), number);
  }
});

test("the reader reads what the writer wrote, and writing that again gives the same bytes", () => {
  fc.assert(
    fc.property(value, (given) => {
      const written = encodeCbor(given);
      assert.equal(toHex(encodeCbor(decodeCbor(written))), toHex(written));
    }),
    { numRuns: 500 },
  );
});

test("omits undefined members, and refuses values that CBOR cannot represent", () => {
  assert.equal(toHex(encodeCbor({ a: undefined, b: 1 })), "a1616201");
  assert.equal(toHex(encodeCbor(new Map([["a", undefined]]))), "a0");
  assert.equal(toHex(encodeCbor([undefined])), "81f7");
  assert.throws(() => encodeCbor(2n ** 64n), RangeError);
  assert.throws(() => encodeCbor(-(2n ** 64n) - 1n), RangeError);
  assert.throws(() => encodeCbor(Symbol("x") as never), TypeError);
});
