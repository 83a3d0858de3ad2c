import assert from "node:assert/strict";
import { test } from "node:test";
import { x25519PublicKey, x25519SharedSecret } from "#platform";
import { toHex } from "../../src/bytes/bytes.js";
import { hash256 } from "../../src/bytes/hash.js";
import {
  blindingScalar,
  deterministicBytes,
  headerMac,
  headerStream,
  hopKeys,
  replayTagOf,
} from "../../src/sphinx/primitives.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-sphinx-primitives");
const noKeys = hopKeys(new Uint8Array(32));

test("a secret gives the reference's keys", () => {
  for (const v of vectors.kdf) {
    const keys = hopKeys(hex(v.ikm));
    assert.equal(toHex(keys.headerMac), v.headerMAC);
    assert.equal(toHex(keys.headerEncryption), v.headerEncryption);
    assert.equal(toHex(keys.headerEncryptionIv), v.headerEncryptionIV);
    assert.equal(toHex(keys.payloadEncryption), v.payloadEncryption);
    assert.equal(toHex(blindingScalar(keys)), v.blindingFactorX25519);
  }
  assert.equal(vectors.kdf.length, 6);
});

test("header stream and MAC match the reference", () => {
  for (const v of vectors.stream) {
    const keys = { ...noKeys, headerEncryption: hex(v.key), headerEncryptionIv: hex(v.iv) };
    assert.equal(toHex(headerStream(keys, v.keystream.length / 2)), v.keystream);
  }
  for (const v of vectors.mac) {
    const message = hex(v.message);
    const keys = { ...noKeys, headerMac: hex(v.key) };
    assert.equal(toHex(headerMac(keys, message)), v.mac);
    const half = message.length >> 1;
    assert.equal(toHex(headerMac(keys, message.slice(0, half), message.slice(half))), v.mac);
  }
  assert.deepEqual([vectors.stream.length, vectors.mac.length], [3, 4]);
});

test("hashes and the deterministic source match the reference", () => {
  for (const v of vectors.hash) {
    assert.equal(toHex(hash256(hex(v.message))), v.blake2b_256);
    assert.equal(toHex(replayTagOf(hex(v.message))), v.sha512_256);
  }
  for (const v of vectors.deterministicReader) {
    assert.equal(toHex(deterministicBytes(hex(v.seed), v.output.length / 2)), v.output);
  }
  assert.deepEqual([vectors.hash.length, vectors.deterministicReader.length], [3, 2]);
});

test("X25519 and its blinding match the reference", () => {
  for (const v of vectors.x25519) {
    assert.equal(toHex(x25519PublicKey(hex(v.privateA))), v.publicA);
    assert.equal(toHex(x25519PublicKey(hex(v.privateB))), v.publicB);
    assert.equal(toHex(x25519SharedSecret(hex(v.privateA), hex(v.publicB))), v.sharedAB);
    assert.equal(toHex(x25519SharedSecret(hex(v.privateB), hex(v.publicA))), v.sharedAB);
    const blinded = x25519SharedSecret(hex(v.blindingFactor), hex(v.publicB));
    assert.equal(toHex(blinded), v.publicBBlinded);
  }
  assert.equal(vectors.x25519.length, 4);
});
