/** The page's X25519 with WebCrypto: the same keys, secrets and refusals as Node's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { x25519PublicKey, x25519SharedSecret } from "#platform";
import { offThreadX25519 } from "../../src/platform/browser-x25519.js";
import { randomBytes } from "../../src/bytes/bytes.js";

const later = offThreadX25519!;

test("keys and secrets equal those of Node", async () => {
  for (let i = 0; i < 20; i++) {
    const [a, b] = [randomBytes(32), randomBytes(32)];
    const publicKey = x25519PublicKey(b);
    assert.deepEqual(await later.publicKey(b), publicKey);
    assert.deepEqual(await later.sharedSecret(a, publicKey), x25519SharedSecret(a, publicKey));
  }
});

test("the unused bit of a public key is ignored", async () => {
  const [a, b] = [randomBytes(32), x25519PublicKey(randomBytes(32))];
  const set = b.slice();
  set[31]! |= 0x80;
  assert.deepEqual(await later.sharedSecret(a, set), x25519SharedSecret(a, b));
});

test("low-order keys and wrong sizes are refused as elsewhere", async () => {
  const one = new Uint8Array(32).fill(1, 0, 1);
  for (const bad of [new Uint8Array(32), one]) {
    await assert.rejects(later.sharedSecret(randomBytes(32), bad), {
      name: "RangeError",
      message: "`publicKey` must not be of low order",
    });
  }
  await assert.rejects(later.sharedSecret(randomBytes(31), randomBytes(32)), /`privateKey`/);
  await assert.rejects(later.sharedSecret(randomBytes(32), randomBytes(33)), /`publicKey`/);
  await assert.rejects(later.publicKey(randomBytes(33)), /`privateKey`/);
});
