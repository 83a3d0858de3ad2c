import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { concatBytes, fromHex, toHex } from "../../src/bytes/bytes.js";
import { ProtocolError } from "../../src/errors/errors.js";
import {
  CborBudget,
  type CborMap,
  type CborValue,
  type Encodable,
  MAX_CBOR_ITEMS,
  decodeCbor,
  encodeCbor,
} from "../../src/cbor/cbor.js";

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(" ", ""));
const decodeHex = (text: string): CborValue => decodeCbor(hex(text));
const map = (...pairs: [CborValue, CborValue][]): CborMap => new Map(pairs) as CborMap;
const bytes = (...values: number[]): Uint8Array => Uint8Array.of(...values);

const taken: [what: string, encoded: string, value: CborValue][] = [
  ["null", "f6", null],
  ["undefined, which means null", "f7", undefined],
  ["booleans", "82 f4 f5", [false, true]],
  ["a byte string", "43 010203", bytes(1, 2, 3) as CborValue],
  ["an empty byte string, which is not null", "40", bytes() as CborValue],
  ["an empty array, which is not null", "80", []],
  ["an empty map, which is an empty struct", "a0", map()],
  ["text", "63 e282ac", "€"],
  ["text that contains U+FFFD itself", "63 efbfbd", "\ufffd"],
  ["an integer in more bytes than it needs", "1b 0000000000000005", 5],
  ["2^53 - 1 as a number", "1b 001fffffffffffff", 2 ** 53 - 1],
  ["2^53 as a bigint", "1b 0020000000000000", 2n ** 53n],
  ["2^64 - 1 as a bigint", "1b ffffffffffffffff", 2n ** 64n - 1n],
  ["-1", "20", -1],
  ["-2^64 as a bigint", "3b ffffffffffffffff", -(2n ** 64n)],
  ["1 - 2^53 as a number", "3b 001ffffffffffffe", 1 - 2 ** 53],
  ["-2^53 as a bigint", "3b 001fffffffffffff", -(2n ** 53n)],
  ["a half-precision float", "f9 3c00", 1],
  ["a single-precision float", "fa 3f000000", 0.5],
  [
    "a double-precision float, as Go's default encoder writes all floats",
    "fb 3fb999999999999a",
    0.1,
  ],
  ["a map with integer keys", "a1 1903e8 4101", map([1000, bytes(1) as CborValue])],
  ["an array of indefinite length", "9f 01 9f ff 02 ff", [1, [], 2]],
  ["a map of indefinite length", "bf 6161 01 6162 9f ff ff", map(["a", 1], ["b", []])],
  ["a byte string in chunks", "5f 4101 40 420203 ff", bytes(1, 2, 3) as CborValue],
  ["text in chunks", "7f 6161 60 6162 ff", "ab"],
  ["strings without any chunk", "82 5f ff 7f ff", [bytes() as CborValue, ""]],
  ["an unknown tag, ignored", "d9 ffff 05", 5],
  ["tags within tags, ignored", "c1 c2 d8 64 6161", "a"],
  ["an RFC 8746 typed array, as its bytes", "d8 40 43 010203", bytes(1, 2, 3) as CborValue],
  ["a tagged map key", "a1 c1 6161 01", map(["a", 1])],
];

for (const [what, encoded, value] of taken) {
  test(`accepts ${what}`, () => assert.deepEqual(decodeHex(encoded), value));
}

const refused: [what: string, encoded: string, message: RegExp][] = [
  ["empty input", "", /not well-formed/],
  ["bytes after the item", "01 01", /not well-formed/],
  ["an item that is cut off", "43 0102", /not well-formed/],
  ["an array with too few elements", "82 01", /only 1 bytes are left/],
  ["a map with a key but no value", "a1 6161", /not enough entries/],
  ["the end of an indefinite item at the top", "ff", /an end in an invalid place/],
  ["the end of an indefinite item in a definite one", "81 ff", /an end in an invalid place/],
  [
    "the end of an indefinite map in place of a value",
    "bf 6161 ff ff",
    /an end in an invalid place/,
  ],
  ["the end of an indefinite array after a tag", "9f c1 ff ff", /not well-formed/],
  ["an indefinite array without its end", "9f 01", /not well-formed/],
  ["a chunked string without its end", "5f 4101", /without an end/],
  ["a chunked byte string with a chunk of text", "5f 6161 ff", /chunks of another type/],
  ["a chunked string within a chunked string", "5f 5f 4101 ff ff", /not well-formed/],
  ["an unassigned simple value", "f0", /not well-formed/],
  ["a reserved length", "1c", /not well-formed/],
  ["text that is not UTF-8", "62 c328", /not UTF-8/],
  ["text with half a surrogate pair", "63 eda080", /not UTF-8/],
  ["text that is not UTF-8 in a chunk", "7f 62 c328 ff", /not UTF-8/],
  ["a map key that is not UTF-8", "a1 61 ff 01", /not UTF-8/],
  ["the same text key twice (upstream: accepted)", "a2 6161 01 6161 02", /repeated map key$/],
  ["the same integer key twice (upstream: accepted)", "a2 01 01 01 02", /repeated map key$/],
  ["the same byte-string key twice (upstream: accepted)", "a2 4101 01 4101 02", /key twice/],
  ["the same byte-string key twice, one tagged", "a2 c1 4101 01 4101 02", /key twice/],
  ["the same byte-string key twice, one in chunks", "a2 5f4101ff 01 4101 02", /key twice/],
  ["the same byte-string key twice, deep inside", "81 a1 6161 81 a2 4101 01 4101 02", /key twice/],
  [
    "the same byte-string key twice after an indefinite array",
    "a4 6161 a1 6162 9fff 6178 01 4101 01 4101 02",
    /key twice/,
  ],
];

for (const [what, encoded, message] of refused) {
  test(`refuses ${what}`, () => {
    assert.throws(
      () => decodeHex(encoded),
      (error: Error) => {
        assert.ok(error instanceof ProtocolError, String(error));
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test("an error does not show contents, not even a repeated key", () => {
  assert.throws(
    () =>
      decodeCbor(
        concatBytes(
          hex("a2 66"),
          new TextEncoder().encode("secret"),
          hex("01 66"),
          new TextEncoder().encode("secret"),
          hex("02"),
        ),
      ),
    (error: Error) => !error.message.includes("secret"),
  );
});

test("equal values of different types are different keys", () => {
  const decoded = decodeHex("a3 01 01 6131 02 4131 03") as CborMap;
  assert.deepEqual([decoded.size, decoded.get(1), decoded.get("1")], [3, 1, 2]);
});

/** Arrays nested `depth` deep. */
const nested = (depth: number): Uint8Array =>
  concatBytes(new Uint8Array(depth - 1).fill(0x81), hex("80"));

test("reads up to 32 levels of nesting in arrays, maps and indefinite items alike", () => {
  assert.doesNotThrow(() => decodeCbor(nested(32)));
  assert.throws(() => decodeCbor(nested(33)), /nested deeper than 32/);
  const mapsDeep = (depth: number): Uint8Array => hex("a101".repeat(depth - 1) + "a0");
  assert.doesNotThrow(() => decodeCbor(mapsDeep(32)));
  assert.throws(() => decodeCbor(mapsDeep(33)), /nested deeper than 32/);
  const open = (depth: number): Uint8Array => hex("9f".repeat(depth) + "ff".repeat(depth));
  assert.doesNotThrow(() => decodeCbor(open(32)));
  assert.throws(() => decodeCbor(open(33)), /nested deeper than 32/);
});

test("nesting counts only the containers that are still open", () => {
  const flat = concatBytes(hex("8f"), ...Array.from({ length: 15 }, () => nested(31)));
  assert.doesNotThrow(() => decodeCbor(flat));
});

test("a million nested tags give an error, not a crash", () => {
  const tags = new Uint8Array(1_000_001).fill(0xc1);
  tags[1_000_000] = 0;
  assert.throws(() => decodeCbor(tags), ProtocolError);
});

test("reads a container of 131,072 items; refuses one more, and any count that the bytes cannot hold", () => {
  const header = (major: number, count: number): Uint8Array => {
    const bytes = new Uint8Array(5);
    bytes[0] = major | 26;
    new DataView(bytes.buffer).setUint32(1, count);
    return bytes;
  };
  const array = (count: number): Uint8Array =>
    concatBytes(header(0x80, count), new Uint8Array(count));
  assert.equal((decodeCbor(array(131_072)) as unknown[]).length, 131_072);
  // All bytes are there, so the message must not say that they are missing.
  assert.throws(() => decodeCbor(array(131_073)), /container of more than 131072 elements/);
  for (const huge of ["9b ffffffffffffffff", "bb 7fffffffffffffff", "9a ffffffff", "ba 00020001"]) {
    assert.throws(() => decodeHex(`${huge} 00`), ProtocolError);
  }
  assert.throws(() => decodeHex("ba 00000003 0101 0202 03"), /only 5 bytes are left/);
});

test("announced string lengths do not allocate memory", () => {
  const before = process.memoryUsage().arrayBuffers;
  for (const huge of [
    "5a ffffffff 00",
    "5b 00000000ffffffff",
    "7a 7fffffff",
    "5b ffffffffffffffff",
  ]) {
    assert.throws(() => decodeHex(huge), ProtocolError);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
});

test("refuses a message of more than 400,000 items before it builds any", () => {
  // Four arrays, each within the limit of one container.
  const part = concatBytes(hex("9a 0001ffff"), new Uint8Array(131_071).fill(0xa0));
  assert.equal(MAX_CBOR_ITEMS, 400_000);
  assert.throws(
    () => decodeCbor(concatBytes(hex("84"), part, part, part, part)),
    /more than 400000 items/,
  );
});

test("a budget is used up exactly, by known keys too", () => {
  const value = { known: [1, 2] };
  const encoded = encodeCbor(value);
  // A map, its key, an array and two numbers; the second time the key is known.
  for (let round = 0; round < 2; round++) {
    const budget = new CborBudget();
    budget.left = 5;
    assert.deepEqual(decodeCbor(encoded, budget), map(["known", [1, 2]]));
    assert.equal(budget.left, 0);
    budget.left = 4;
    assert.throws(() => decodeCbor(encoded, budget), /more than/);
  }
});

test("a value that cannot be encoded leaves nothing for the next one", () => {
  assert.throws(() => encodeCbor([1, 2, (() => {}) as never]), TypeError);
  assert.deepEqual(encodeCbor(3), bytes(3));
});

test("the limit for one container also applies without an announced length", () => {
  const open = (first: number, items: number): Uint8Array =>
    concatBytes(bytes(first), new Uint8Array(items).fill(0x80), bytes(0xff));
  assert.equal((decodeCbor(open(0x9f, 131_072)) as unknown[]).length, 131_072);
  assert.throws(() => decodeCbor(open(0x9f, 131_073)), /more than 131072 elements/);
});

test("map keys that share a slot in the reader's key cache stay distinct", () => {
  const key = fc.string({ minLength: 1, maxLength: 70 });
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 40 }), (keys) => {
      const wanted = new Map(keys.map((text, i) => [text, i]));
      for (let round = 0; round < 2; round++) {
        assert.deepEqual(decodeCbor(encodeCbor(wanted as Encodable)), wanted);
      }
    }),
    { numRuns: 300 },
  );
});

test("a key of any length and encoding decodes the same, whether or not it was seen before", () => {
  for (const length of [1, 23, 24, 51, 63, 64, 200, 300]) {
    const key = "k".repeat(length - 1) + String.fromCharCode(0x61 + (length % 26));
    const text = toHex(encodeCbor(key).subarray(-length));
    const width = length < 256 ? ["78" + toHex(bytes(length))] : [];
    for (const head of [...width, "79" + toHex(bytes(length >> 8, length & 255))]) {
      for (const met of ["not yet", "before"]) {
        assert.deepEqual(decodeHex(`a1 ${head} ${text} 05`), map([key, 5]), `${length} ${met}`);
      }
      assert.throws(() => decodeHex(`a2 ${head} ${text} 05 ${head} ${text} 06`), /repeated/);
      assert.throws(() => decodeHex(`a1 ${head} ${text.slice(2)}`), ProtocolError);
    }
  }
});

test("values decoded from a Buffer are plain, and share no memory with it", () => {
  const pool = Buffer.from("a261614301020361628143040506", "hex");
  const decoded = decodeCbor(pool) as CborMap;
  pool.fill(0xee);
  const first = decoded.get("a") as Uint8Array;
  const second = (decoded.get("b") as Uint8Array[])[0]!;
  assert.deepEqual([first, second], [bytes(1, 2, 3), bytes(4, 5, 6)]);
  for (const got of [first, second]) {
    assert.equal(got.constructor, Uint8Array);
    assert.equal(got.buffer.byteLength, 3);
  }
});

test("values decoded from part of a larger array share no memory with it", () => {
  const large = concatBytes(bytes(9, 9), hex("43 010203"), bytes(9));
  const decoded = decodeCbor(large.subarray(2, 6)) as Uint8Array;
  large.fill(0);
  assert.deepEqual(decoded, bytes(1, 2, 3));
});

test("encoding is canonical: shortest integers and floats, keys by length, then bytewise", () => {
  assert.equal(toHex(encodeCbor({ bb: 1, a: 2, b: 300 })), "a3616102616219012c62626201");
  assert.equal(
    toHex(encodeCbor([23, 24, 255, 256, 2 ** 53 - 1, 2n ** 64n - 1n])),
    "8617181818ff1901001b001fffffffffffff1bffffffffffffffff",
  );
  assert.equal(toHex(encodeCbor([0.5, -1, 0.1])), "83f9380020fb3fb999999999999a");
  assert.equal(toHex(encodeCbor({ gone: undefined, here: null })), "a16468657265f6");
  assert.equal(
    toHex(
      encodeCbor(
        new Map([
          [bytes(2), 1],
          [bytes(1), 2],
        ]),
      ),
    ),
    "a2410102410201",
  );
});

test("encodes a view of a larger array as only that part", () => {
  const part = bytes(1, 2, 3, 4).subarray(1, 3);
  assert.equal(toHex(encodeCbor({ a: part })), "a16161420203");
  assert.equal(toHex(encodeCbor({ a: Buffer.from([2, 3]) })), "a16161420203");
});

test("every value survives encoding and decoding, and byte strings come back as new arrays", () => {
  const leaf = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
    fc.string({ unit: "binary" }),
    fc.uint8Array().map((value) => Uint8Array.from(value)),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, tie("array"), tie("map")),
    array: fc.array(tie("value"), { maxLength: 5 }),
    map: fc
      .uniqueArray(fc.tuple(fc.oneof(fc.string(), fc.integer()), tie("value")), {
        maxLength: 5,
        selector: ([key]) => key,
      })
      .map((pairs) => new Map(pairs)),
  }));
  fc.assert(
    fc.property(value, (wanted) => {
      assert.deepEqual(decodeCbor(encodeCbor(wanted as Encodable)), wanted);
    }),
    { numRuns: 500 },
  );
});

test("random bytes either decode or cause a ProtocolError, never another error", () => {
  let refusals = 0;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (input) => {
      try {
        decodeCbor(input);
      } catch (error) {
        refusals++;
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 5000 },
  );
  assert.ok(refusals > 1000);
});
