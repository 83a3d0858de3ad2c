import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ml_kem768_x25519 as libraryXwing } from "@noble/post-quantum/hybrid.js";
import { randomBytes, toHex } from "../../src/bytes/bytes.js";
import { splitPrf } from "../../src/kem/hybrid.js";
import { kemSchemeByName, kemSchemes } from "../../src/kem/registry.js";
import { x25519Kem } from "../../src/kem/x25519.js";
import { xwingKem } from "../../src/kem/xwing.js";
import { hex, loadVectors } from "../reference/load-vectors.js";
import { failureOf, scripted } from "../sphinx/sphinx-cases.js";

const vectors = loadVectors("mixnet-kem");

test("X-Wing matches the reference: keys, encapsulation, decapsulation, damaged ciphertexts", () => {
  for (const v of vectors.xwing) {
    const pair = xwingKem.generate(scripted(hex(v.seed)));
    assert.equal(toHex(pair.publicKey), v.publicKey);
    assert.equal(toHex(pair.privateKey), v.privateKeyMarshalled);
    assert.equal(toHex(xwingKem.publicKeyOf(pair.privateKey)), v.publicKey);
    const made = xwingKem.encapsulate(pair.publicKey, scripted(hex(v.eseed)));
    assert.equal(toHex(made.ciphertext), v.ciphertext);
    assert.equal(toHex(made.sharedSecret), v.sharedSecret);
    const ciphertext = hex(v.ciphertext);
    assert.equal(toHex(xwingKem.decapsulate(pair.privateKey, ciphertext)), v.sharedSecret);
    ciphertext[0]! ^= 1;
    const other = xwingKem.decapsulate(pair.privateKey, ciphertext);
    assert.equal(toHex(other), v.sharedSecretIfFirstCiphertextBitFlipped);
  }
  assert.equal(vectors.xwing.length, 4);
});

test("X25519 as a KEM matches the reference", () => {
  for (const v of vectors.nikeToKEMAdapterX25519) {
    const privateKey = hex(v.privateKey);
    assert.equal(toHex(x25519Kem.publicKeyOf(privateKey)), v.publicKey);
    assert.equal(toHex(x25519Kem.decapsulate(privateKey, hex(v.ciphertext))), v.sharedSecret);
  }
  assert.equal(vectors.nikeToKEMAdapterX25519.length, 3);
});

test("the combiner matches the reference", () => {
  for (const v of vectors.splitPRF) {
    assert.equal(toHex(splitPrf(v.sharedSecrets.map(hex), v.ciphertexts.map(hex))), v.output);
  }
  assert.deepEqual(
    vectors.splitPRF.map((v: { ciphertexts: unknown[] }) => v.ciphertexts.length),
    [1, 2, 3],
  );
});

test("the hybrids open what the reference sealed", () => {
  for (const v of vectors.hybrids) {
    const kem = kemSchemeByName(v.scheme);
    const privateKey = hex(v.privateKey);
    assert.equal(toHex(kem.publicKeyOf(privateKey)), v.publicKey);
    assert.equal(toHex(kem.decapsulate(privateKey, hex(v.ciphertext))), v.sharedSecret);
  }
  assert.equal(vectors.hybrids.length, 4);
});

test("names and sizes match the reference, and an unknown name is refused with the known ones", () => {
  let known = 0;
  for (const v of vectors.sizes) {
    const here = kemSchemes.some(({ name }) => name.toLowerCase() === v.lookup.toLowerCase());
    if (!here) {
      const failure = failureOf(() => kemSchemeByName(v.lookup));
      assert.ok(failure instanceof RangeError && failure.message.includes(v.lookup));
      continue;
    }
    const kem = kemSchemeByName(v.lookup);
    assert.equal(kem.name, v.name);
    assert.equal(kem.publicKeyLength, v.publicKey);
    assert.equal(kem.privateKeyLength, v.privateKey);
    assert.equal(kem.ciphertextLength, v.ciphertext);
    assert.equal(kem.sharedSecretLength, v.sharedSecret);
    known++;
  }
  assert.equal(known, 5);
  for (const { name } of kemSchemes) assert.ok(vectors.registeredNames.includes(name), name);
  const message =
    'there is no KEM scheme with the name "MLKEM768-X448" ' +
    "(known: XWING, Kyber768-X25519, MLKEM768-X25519, MLKEM768, x25519)";
  assert.throws(() => kemSchemeByName("MLKEM768-X448"), { name: "RangeError", message });
  assert.throws(() => kemSchemeByName(3 as unknown as string), { name: "TypeError" });
});

test("every scheme opens its own ciphertexts, and a damaged one gives another secret", () => {
  for (const kem of kemSchemes) {
    const pair = kem.generate();
    assert.equal(pair.publicKey.length, kem.publicKeyLength);
    assert.equal(pair.privateKey.length, kem.privateKeyLength);
    assert.deepEqual(kem.publicKeyOf(pair.privateKey), pair.publicKey);
    const { ciphertext, sharedSecret } = kem.encapsulate(pair.publicKey);
    assert.equal(ciphertext.length, kem.ciphertextLength);
    assert.equal(sharedSecret.length, kem.sharedSecretLength);
    assert.deepEqual(kem.decapsulate(pair.privateKey, ciphertext), sharedSecret);
    ciphertext[ciphertext.length - 2]! ^= 1;
    assert.notDeepEqual(kem.decapsulate(pair.privateKey, ciphertext), sharedSecret, kem.name);
  }
});

test("wrong lengths and low-order points are refused", () => {
  for (const kem of kemSchemes) {
    const { publicKey, privateKey } = kem.generate();
    const { ciphertext } = kem.encapsulate(publicKey);
    const short = (bytes: Uint8Array) => bytes.slice(1);
    for (const call of [
      () => kem.encapsulate(short(publicKey)),
      () => kem.decapsulate(short(privateKey), ciphertext),
      () => kem.decapsulate(privateKey, short(ciphertext)),
      () => kem.publicKeyOf(short(privateKey)),
      () => kem.encapsulate("key" as unknown as Uint8Array),
    ]) {
      const failure = failureOf(call);
      assert.ok(failure instanceof RangeError || failure instanceof TypeError, kem.name);
    }
    if (kem.name === "MLKEM768") continue;
    const at = kem.name === "XWING" ? -32 : 0;
    const zeroed = (bytes: Uint8Array) => {
      const copy = bytes.slice();
      copy.subarray(at).fill(0, 0, 32);
      return copy;
    };
    assert.throws(() => kem.encapsulate(zeroed(publicKey)), { name: "RangeError" }, kem.name);
    assert.throws(() => kem.decapsulate(privateKey, zeroed(ciphertext)), { name: "RangeError" });
  }
});

test("X-Wing agrees with the library's own implementation in both directions", () => {
  for (let run = 0; run < 5; run++) {
    const [seed, coins] = [randomBytes(32), randomBytes(64)];
    const { publicKey, privateKey } = xwingKem.generate(scripted(seed));
    assert.deepEqual(publicKey, libraryXwing.keygen(seed).publicKey);
    const sealed = xwingKem.encapsulate(publicKey, scripted(coins));
    const theirs = libraryXwing.encapsulate(publicKey, coins);
    assert.deepEqual(sealed.ciphertext, theirs.cipherText);
    assert.deepEqual(sealed.sharedSecret, theirs.sharedSecret);
    assert.deepEqual(libraryXwing.decapsulate(sealed.ciphertext, seed), sealed.sharedSecret);
    const damaged = theirs.cipherText.slice();
    damaged[run]! ^= 1;
    for (const ciphertext of [sealed.ciphertext, damaged]) {
      const secret = libraryXwing.decapsulate(ciphertext.slice(), seed);
      assert.deepEqual(xwingKem.decapsulate(privateKey, ciphertext), secret);
    }
  }
});

test("X-Wing computes with the current bytes of a private key, whether new, copied or changed in place", () => {
  const [pair, other] = [xwingKem.generate(), xwingKem.generate()];
  const { ciphertext, sharedSecret } = xwingKem.encapsulate(pair.publicKey);
  assert.deepEqual(xwingKem.decapsulate(pair.privateKey.slice(), ciphertext), sharedSecret);
  pair.publicKey.fill(0);
  assert.deepEqual(xwingKem.decapsulate(pair.privateKey, ciphertext), sharedSecret);
  pair.privateKey.set(other.privateKey);
  assert.notDeepEqual(xwingKem.decapsulate(pair.privateKey, ciphertext), sharedSecret);
});

test("the public keys of the vectors equal those of the handshakes", () => {
  const { sessions } = loadVectors("mixnet-wire-handshake");
  const { publicKey } = xwingKem.generate(scripted(hex(sessions[0].initiator.ephemeralSeed)));
  const hash = createHash("sha256").update(publicKey).digest("hex");
  assert.equal(hash, sessions[0].encapsulations[0].publicKeySHA256);
});
