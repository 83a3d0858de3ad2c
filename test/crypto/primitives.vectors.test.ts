import assert from "node:assert/strict";
import { test } from "node:test";
import { hkdfBlake2b512 } from "#platform";
import { gcmsiv } from "@noble/ciphers/aes.js";
import { numberToBytesLE } from "@noble/curves/utils.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { sha512_256 } from "@noble/hashes/sha2.js";
import { toHex } from "../../src/bytes/bytes.js";
import {
  blindingScalar,
  decodePoint,
  encodeBaseMultiple,
  encodeMultiple,
  multiplyScalars,
  rootScalar,
  signWithScalar,
} from "../../src/bacap/blinding.js";
import { verifyBox } from "../../src/bacap/box.js";
import { hash256 } from "../../src/bytes/hash.js";
import { chacha20Random, shake256Random } from "../../src/bacap/seeded-random.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("primitives");

test("AES-256-GCM-SIV matches the reference", () => {
  for (const v of vectors.aes_256_gcm_siv) {
    const cipher = gcmsiv(hex(v.key), hex(v.nonce), hex(v.aad));
    assert.equal(toHex(cipher.encrypt(hex(v.plaintext))), v.ciphertext);
    assert.equal(toHex(cipher.decrypt(hex(v.ciphertext))), v.plaintext);
  }
  assert.equal(vectors.aes_256_gcm_siv.length, 7);
});

test("hashes match the reference", () => {
  for (const v of vectors.blake2b_256) {
    assert.equal(toHex(hash256(hex(v.input))), v.output);
  }
  for (const v of vectors.blake2b_512) assert.equal(toHex(blake2b(hex(v.input))), v.output);
  for (const v of vectors.sha512_256) assert.equal(toHex(sha512_256(hex(v.input))), v.output);
  assert.equal(vectors.blake2b_256.length, 9);
  assert.equal(vectors.blake2b_512.length, 9);
  assert.equal(vectors.sha512_256.length, 9);
});

test("HKDF matches the reference", () => {
  for (const v of vectors.hkdf_blake2b512) {
    const okm = hkdfBlake2b512(hex(v.secret), hex(v.salt), hex(v.info), v.length);
    assert.equal(toHex(okm), v.okm);
  }
  assert.equal(vectors.hkdf_blake2b512.length, 10);
});

test("blinded Ed25519 matches the reference, however often it is blinded", () => {
  for (const v of vectors.blinded_ed25519) {
    const [seed, publicKey] = [hex(v.private_key).slice(0, 32), hex(v.private_key).slice(32)];
    let scalar = rootScalar(seed);
    assert.equal(toHex(encodeBaseMultiple(scalar)), toHex(publicKey));
    let blindedKey = publicKey;
    const first = hex(v.factors[0]);
    assert.equal(toHex(sha512_256(first)), v.first_factor_sha512_256);
    assert.equal(toHex(numberToBytesLE(blindingScalar(first), 32)), v.first_factor_scalar);
    for (const factor of v.factors) {
      const f = blindingScalar(hex(factor));
      scalar = multiplyScalars(scalar, f);
      blindedKey = encodeMultiple(decodePoint(blindedKey), f);
    }
    assert.equal(toHex(numberToBytesLE(scalar, 32)), v.blinded_scalar);
    assert.equal(toHex(blindedKey), v.blinded_public_key);
    assert.equal(toHex(encodeBaseMultiple(scalar)), v.blinded_public_key);
    const message = hex(v.message);
    const signature = signWithScalar(scalar, blindedKey, message);
    assert.equal(toHex(signature), v.signature);
    assert.ok(verifyBox({ boxId: blindedKey, ciphertext: message, signature }));
  }
  assert.equal(vectors.blinded_ed25519.length, 9);
});

for (const [name, make] of [
  ["chacha20_stream", (v: { key: string }) => chacha20Random(hex(v.key))],
  ["shake256_stream", (v: { seed: string }) => shake256Random(hex(v.seed))],
] as const) {
  test(`${name} matches the reference, however its input is split`, () => {
    for (const v of vectors[name]) {
      const length = v.stream.length / 2;
      assert.equal(toHex(make(v)(length)), v.stream);
      const source = make(v);
      let taken = "";
      for (let left = length, piece = 0; left > 0; piece = piece * 2 + 1) {
        const take = Math.min(left, piece);
        taken += toHex(source(take));
        left -= take;
      }
      assert.equal(taken, v.stream);
    }
    assert.equal(vectors[name].length, 4);
  });
}
