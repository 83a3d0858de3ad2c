import assert from "node:assert/strict";
import { test } from "node:test";
import type { CborMap, CborValue } from "../../src/cbor/cbor.js";
import * as fields from "../../src/cbor/fields.js";

const optional = {
  uint: [fields.uintField, 0],
  number: [fields.numberField, 0],
  text: [fields.textField, ""],
  bool: [fields.boolField, false],
  bytes: [fields.bytesField, new Uint8Array(0)],
  array: [fields.arrayField, []],
  map: [fields.mapField, null],
  bytesArray: [fields.bytesArrayField, []],
} as const;

const required = [
  fields.requiredUint,
  fields.requiredUint64,
  fields.requiredText,
  fields.requiredBytes,
  fields.requiredBytesArray,
];

test("an absent member gives the zero value, or an error where no zero value is harmless", () => {
  for (const map of [new Map(), new Map([["a", null]])] as CborMap[]) {
    for (const [read, zero] of Object.values(optional)) {
      assert.deepEqual(read(map, "a", "doc"), zero);
    }
    for (const read of required) {
      const wanted = {
        code: "ERR_PROTOCOL",
        message: /^`doc\.a` must be .*, got (undefined|null)$/,
      };
      assert.throws(() => read(map, "a", "doc"), wanted);
    }
  }
});

test("a member of another type is always an error", () => {
  const map: CborMap = new Map([["a", undefined]]);
  map.set("a", Symbol.iterator as never);
  for (const [read] of Object.values(optional)) {
    assert.throws(() => read(map, "a", "doc"), { code: "ERR_PROTOCOL" });
  }
  for (const read of required) {
    assert.throws(() => read(map, "a", "doc"), { code: "ERR_PROTOCOL" });
  }
  assert.throws(() => fields.asMap([], "doc"), {
    message: "`doc` must be a map, got an array of 0",
  });
});

test("a required member must have the expected length and range", () => {
  const map: CborMap = new Map<string, CborValue>([
    ["bytes", Uint8Array.of(1, 2)],
    ["large", 2n ** 64n - 1n],
    ["small", 5],
    ["negative", -1n],
  ]);
  assert.deepEqual(fields.requiredBytes(map, "bytes", "doc", 2), Uint8Array.of(1, 2));
  assert.throws(() => fields.requiredBytes(map, "bytes", "doc", 3), { message: /must be 3 bytes/ });
  assert.equal(fields.requiredUint64(map, "large", "doc"), 2n ** 64n - 1n);
  assert.equal(fields.requiredUint64(map, "small", "doc"), 5n);
  assert.throws(() => fields.requiredUint64(map, "negative", "doc"), { code: "ERR_PROTOCOL" });
});
