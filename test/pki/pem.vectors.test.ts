import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { hash256 } from "../../src/bytes/hash.js";
import { decodePem, encodePem, encodePublicKeyPem } from "../../src/pki/pem.js";
import { loadVectors, hex } from "../reference/load-vectors.js";

const vectors = loadVectors("mixnet-keys-pem");

test("keys are read from PEM and written as the reference writes them", () => {
  let named = 0;
  for (const key of vectors.keys) {
    const half = key.kind.endsWith("private key") ? "PRIVATE KEY" : "PUBLIC KEY";
    const type = `${key.scheme.toUpperCase()} ${half}`;
    assert.deepEqual(decodePem(key.pem, type), { type, bytes: hex(key.raw) });
    assert.equal(encodePem(type, hex(key.raw)), key.pem);
    if (half === "PUBLIC KEY") assert.equal(encodePublicKeyPem(key.scheme, hex(key.raw)), key.pem);
    if (key.blake2b256OfRaw === undefined) continue;
    assert.equal(toHex(hash256(hex(key.raw))), key.blake2b256OfRaw);
    named++;
  }
  assert.equal(vectors.keys.length, 9);
  assert.equal(named, 2);
});

test("PEM types are compared without regard to case, and others are refused", () => {
  const pem: string = vectors.keys[0].pem;
  const raw: string = vectors.keys[0].raw;
  const lowered = pem.replaceAll("ED25519 PUBLIC KEY", "ed25519 public key");
  assert.equal(toHex(decodePem(lowered, "ED25519 PUBLIC KEY").bytes), raw);
  const wrong = /of type XWING PUBLIC KEY, wanted ED25519 PUBLIC KEY/;
  assert.throws(() => decodePem(vectors.keys[2].pem, "ED25519 PUBLIC KEY"), wrong);
  for (const text of [
    "",
    "not PEM",
    pem.replace(/-----END.*/, ""),
    pem.replace(/\n.*=\n/, "\n!\n"),
  ]) {
    assert.throws(() => decodePem(text, "ED25519 PUBLIC KEY"), { code: "ERR_PROTOCOL" });
  }
});
