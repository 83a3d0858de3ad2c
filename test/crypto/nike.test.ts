import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, toHex } from "../../src/bytes/bytes.js";
import {
  ctidh1024X25519Nike,
  hybridNike,
  x25519Ctidh1024Nike,
} from "../../src/crypto/nike/hybrid.js";
import type { NikeScheme } from "../../src/crypto/nike/scheme.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { shake256Random } from "../../src/bacap/seeded-random.js";

/** X25519 with asynchronous answers, as from a worker. */
const lateX25519: NikeScheme = {
  ...x25519Nike,
  name: "late",
  generate: async (random) => x25519Nike.generate(random),
  publicKeyOf: async (privateKey) => x25519Nike.publicKeyOf(privateKey),
  sharedSecret: async (privateKey, publicKey) => x25519Nike.sharedSecret(privateKey, publicKey),
  checkPublicKey: async (publicKey) => x25519Nike.checkPublicKey(publicKey),
};

test("a hybrid concatenates its parts, and draws the first part first", async () => {
  const scheme = hybridNike("both", x25519Nike, lateX25519);
  const seed = new Uint8Array(32);
  const pair = await scheme.generate(shake256Random(seed));
  const one = shake256Random(seed)(64);
  assert.equal(toHex(pair.privateKey), toHex(one));
  const expected = concatBytes(
    x25519Nike.publicKeyOf(one.slice(0, 32)),
    x25519Nike.publicKeyOf(one.slice(32)),
  );
  assert.equal(toHex(pair.publicKey), toHex(expected));
  assert.equal(toHex(await scheme.publicKeyOf(pair.privateKey)), toHex(expected));
  const peer = await scheme.generate();
  const secret = await scheme.sharedSecret(pair.privateKey, peer.publicKey);
  assert.equal(secret.length, 64);
  assert.equal(toHex(secret), toHex(await scheme.sharedSecret(peer.privateKey, pair.publicKey)));
  assert.equal(
    toHex(secret.slice(32)),
    toHex(x25519Nike.sharedSecret(one.slice(32), peer.publicKey.slice(32))),
  );
  await scheme.checkPublicKey(peer.publicKey);
});

test("a hybrid refuses keys of another length", async () => {
  const scheme = hybridNike("both", x25519Nike, lateX25519);
  assert.equal(scheme.publicKeyLength, 64);
  assert.equal(scheme.privateKeyLength, 64);
  const key = new Uint8Array(63);
  await assert.rejects(async () => scheme.publicKeyOf(key), /privateKey.*64.*63/);
  await assert.rejects(async () => scheme.sharedSecret(new Uint8Array(64), key), RangeError);
  await assert.rejects(async () => scheme.checkPublicKey(key), RangeError);
});

test("a hybrid refuses a key of low order in either half", async () => {
  const scheme = hybridNike("both", x25519Nike, lateX25519);
  const good = await scheme.generate();
  for (const at of [0, 32]) {
    const bad = good.publicKey.slice();
    bad.fill(0, at, at + 32);
    await assert.rejects(async () => scheme.sharedSecret(good.privateKey, bad), RangeError);
  }
});

test("the deployed hybrid has two names", () => {
  assert.equal(ctidh1024X25519Nike(lateX25519).name, "CTIDH1024-X25519");
  assert.equal(x25519Ctidh1024Nike(lateX25519).name, "X25519-CTIDH1024");
});

test("x25519 answers at once and checks private keys", () => {
  const pair = x25519Nike.generate();
  assert.equal(toHex(x25519Nike.publicKeyOf(pair.privateKey)), toHex(pair.publicKey));
  assert.throws(() => x25519Nike.publicKeyOf(new Uint8Array(31)), RangeError);
  assert.throws(() => x25519Nike.sharedSecret(new Uint8Array(33), pair.publicKey), RangeError);
});
