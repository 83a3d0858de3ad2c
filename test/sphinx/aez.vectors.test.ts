import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { aezDecrypt, aezEncrypt } from "../../src/sphinx/aez.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-aez");

test("AEZ matches the reference in both directions", () => {
  for (const v of vectors.sprp) {
    const [key, iv] = [hex(v.key), hex(v.iv)];
    const plaintext = hex(v.plaintext);
    assert.equal(toHex(aezEncrypt(key, iv, plaintext)), v.ciphertext, `${v.length} bytes`);
    assert.equal(toHex(aezDecrypt(key, iv, hex(v.ciphertext))), v.plaintext);
    assert.equal(toHex(aezDecrypt(key, iv, plaintext)), v.decryptOfPlaintext);
    assert.equal(toHex(plaintext), v.plaintext, "the input must stay as it is");
  }
  assert.equal(vectors.sprp.length, 19);
});

test("AEZ of long messages matches the reference", () => {
  for (const v of vectors.sprpLarge) {
    const plaintext = Uint8Array.from({ length: v.length }, (_, i) => (7 * i) % 256);
    const ciphertext = aezEncrypt(hex(v.key), hex(v.iv), plaintext);
    assert.equal(toHex(ciphertext.subarray(0, 64)), v.ciphertextFirst64);
    assert.equal(toHex(ciphertext.subarray(-64)), v.ciphertextLast64);
    assert.equal(createHash("sha256").update(ciphertext).digest("hex"), v.ciphertextSHA256);
    assert.deepEqual(aezDecrypt(hex(v.key), hex(v.iv), ciphertext), plaintext);
  }
  assert.equal(vectors.sprpLarge.length, 2);
});

test("messages of fewer than 32 bytes, which Sphinx does not have, are refused", () => {
  for (const v of vectors.tiny) {
    assert.throws(() => aezEncrypt(hex(v.key), hex(v.iv), hex(v.plaintext)), {
      name: "RangeError",
      message: `\`message\` must be at least 32 bytes, got ${v.length}`,
    });
  }
  assert.equal(vectors.tiny.length, 7);
});
