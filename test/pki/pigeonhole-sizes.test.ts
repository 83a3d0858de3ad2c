import assert from "node:assert/strict";
import { test } from "node:test";
import { pigeonholeSizes, pigeonholeSizesFromSphinx } from "../../src/pki/pigeonhole-sizes.js";

test("wrong lengths and names are refused", () => {
  assert.throws(() => pigeonholeSizes("5" as never, "x25519"), TypeError);
  assert.throws(() => pigeonholeSizes(1.5, "x25519"), RangeError);
  assert.throws(() => pigeonholeSizes(0, "x25519"), /must be positive/);
  assert.throws(() => pigeonholeSizes(5, "nope"), /unknown NIKE scheme: nope/);
  assert.throws(() => pigeonholeSizes(5, null as never), TypeError);
  assert.throws(() => pigeonholeSizesFromSphinx(NaN, "x25519"), RangeError);
});

test("the name is made canonical", () => {
  assert.equal(pigeonholeSizes(5, "ctidh1024-x25519").nikeName, "CTIDH1024-X25519");
});

test("a caller cannot change the sizes", () => {
  const sizes = pigeonholeSizes(5, "x25519");
  assert.throws(() => {
    (sizes as { maxPlaintextPayloadLength: number }).maxPlaintextPayloadLength = 6;
  }, TypeError);
});
