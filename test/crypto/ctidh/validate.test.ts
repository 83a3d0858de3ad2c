import assert from "node:assert/strict";
import { test } from "node:test";
import { P } from "../../../src/crypto/ctidh/field.js";
import { publicKeyOf } from "../../../src/crypto/ctidh/ctidh1024.js";
import { decodePublicKey, validatePublicKey } from "../../../src/crypto/ctidh/validate.js";
import { multiplyX, twinAction, twinEncode } from "../../oracles/ctidh-twin.js";

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 128 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

test("supersingular curves are valid keys, the base curve among them", () => {
  assert.equal(validatePublicKey(new Uint8Array(128)), true);
  assert.equal(validatePublicKey(twinEncode(twinAction(0n, [1, -1, 0, 2]))), true);
  const key = new Uint8Array(130);
  key[7] = 1;
  key[20] = 0xff;
  assert.equal(validatePublicKey(publicKeyOf(key)), true);
});

test("ordinary curves are not valid keys", () => {
  for (const A of [1n, 3n, 5n, 1234567n, P - 3n]) {
    assert.notEqual(multiplyX(A, 3n, P + 1n), null);
    assert.equal(validatePublicKey(twinEncode(A)), false);
  }
});

test("singular curves and encodings that are not canonical are not valid keys", () => {
  for (const key of [twinEncode(2n), twinEncode(-2n), littleEndian(P), littleEndian(P + 1n)]) {
    assert.equal(validatePublicKey(key), false);
    assert.equal(decodePublicKey(key), null);
  }
  assert.equal(validatePublicKey(new Uint8Array(128).fill(0xff)), false);
  assert.equal(decodePublicKey(littleEndian(P - 1n)), P - 1n);
});

test("keys of another length or type are refused by name", () => {
  for (const length of [0, 127, 129]) {
    assert.throws(() => validatePublicKey(new Uint8Array(length)), /`publicKey` must be 128 bytes/);
  }
  assert.throws(() => validatePublicKey([] as unknown as Uint8Array), TypeError);
});
