import assert from "node:assert/strict";
import { after, test } from "node:test";
import { toHex } from "../../../src/bytes/bytes.js";
import { realClock } from "../../../src/clock/real.js";
import {
  CTIDH1024_PRIVATE_KEY_LENGTH,
  CTIDH1024_PUBLIC_KEY_LENGTH,
  generatePrivateKey,
  publicKeyOf,
  sharedSecret,
  validatePublicKey,
} from "../../../src/crypto/ctidh/ctidh1024.js";
import { CtidhPool } from "../../../src/crypto/ctidh/pool.js";
import { ctidh1024Nike } from "../../../src/crypto/ctidh/provider.js";
import { shake256Random } from "../../../src/bacap/seeded-random.js";
import { spawnCtidhWorker } from "../../../src/platform/node-worker.js";
import { hex, loadVectors } from "../../reference/load-vectors.js";

const vectors = loadVectors("mkem");
const pool = new CtidhPool(spawnCtidhWorker, { clock: realClock });
const nike = ctidh1024Nike(pool);
after(() => pool.close());

/** X25519 comes first in the hybrid, with keys and secrets of 32 bytes. */
const isogenyHalf = (text: string): string => text.slice(64);

test("every CTIDH1024 key pair and shared secret matches the vectors", () => {
  let cases = 0;
  for (const vector of vectors.ctidh1024) {
    const privateA = hex(vector.private_key_a);
    const privateB = hex(vector.private_key_b);
    assert.equal(toHex(publicKeyOf(privateA)), vector.public_key_a);
    assert.equal(toHex(publicKeyOf(privateB)), vector.public_key_b);
    assert.equal(toHex(sharedSecret(privateA, hex(vector.public_key_b))), vector.shared_secret);
    assert.equal(toHex(sharedSecret(privateB, hex(vector.public_key_a))), vector.shared_secret);
    cases++;
  }
  assert.equal(cases, 6);
});

test("the isogeny halves of the hybrid key pairs match, computed in workers", async () => {
  const cases = vectors.hybrid_layout.map(async (vector: Record<string, string>) => {
    assert.equal(isogenyHalf(vector["private_key"]!), vector["ctidh_private_key"]);
    assert.equal(isogenyHalf(vector["public_key"]!), vector["ctidh_public_key"]);
    const publicKey = await nike.publicKeyOf(hex(vector["ctidh_private_key"]!));
    assert.equal(toHex(publicKey), vector["ctidh_public_key"]);
  });
  await Promise.all(cases);
  assert.equal(cases.length, 2);
});

test("seeded byte streams give the private keys of the vectors", () => {
  let cases = 0;
  for (const vector of vectors.ctidh1024_x25519) {
    const random = shake256Random(hex(vector.entropy_seed));
    assert.equal(toHex(random(32)), vector.ephemeral_private_key.slice(0, 64));
    const privateKey = generatePrivateKey(random);
    assert.equal(toHex(privateKey), isogenyHalf(vector.ephemeral_private_key));
    // MKEM draws its next values from the same stream, so exactly the right number of bytes was
    // taken.
    assert.equal(toHex(random(32)), vector.message_key);
    cases++;
  }
  assert.equal(cases, 4);
});

test("the isogeny halves of hybrid encapsulations match the vectors", async () => {
  const secrets: Promise<void>[] = [];
  for (const vector of vectors.ctidh1024_x25519) {
    const ephemeral = hex(isogenyHalf(vector.ephemeral_private_key));
    for (const recipient of vector.recipients) {
      const check = async (): Promise<void> => {
        const publicKey = hex(isogenyHalf(recipient.public_key));
        const secret = await nike.sharedSecret(ephemeral, publicKey);
        assert.equal(toHex(secret), isogenyHalf(recipient.raw_shared_secret));
      };
      secrets.push(check());
    }
  }
  await Promise.all(secrets);
  assert.equal(secrets.length, 7);
});

test("public keys are accepted and refused as in the vectors", async () => {
  let cases = 0;
  for (const vector of vectors.negative) {
    if (vector.scheme !== "CTIDH1024-X25519" || vector.public_key === undefined) continue;
    const publicKey = hex(isogenyHalf(vector.public_key));
    assert.equal(validatePublicKey(publicKey), vector.accepted, vector.name);
    assert.equal(await pool.validate(publicKey), vector.accepted, vector.name);
    cases++;
  }
  assert.equal(cases, 2);
});

test("public keys of lengths that the vectors refuse are refused", async () => {
  let cases = 0;
  for (const vector of vectors.negative) {
    if (vector.scheme !== "CTIDH1024-X25519" || vector.length === undefined) continue;
    assert.equal(vector.accepted, false);
    const publicKey = new Uint8Array(Math.max(0, vector.length - 32));
    assert.throws(() => validatePublicKey(publicKey), RangeError);
    await assert.rejects(async () => nike.checkPublicKey(publicKey), RangeError);
    cases++;
  }
  assert.equal(cases, 3);
});

test("sizes match the vectors", () => {
  const sizes = vectors.schemes.find((scheme: { name: string }) => scheme.name === nike.name);
  assert.equal(sizes.public_key_size, CTIDH1024_PUBLIC_KEY_LENGTH);
  assert.equal(sizes.private_key_size, CTIDH1024_PRIVATE_KEY_LENGTH);
  assert.equal(nike.publicKeyLength, CTIDH1024_PUBLIC_KEY_LENGTH);
  assert.equal(nike.privateKeyLength, CTIDH1024_PRIVATE_KEY_LENGTH);
});
