/** The complete hybrid that deployed networks use. Its actions take about a second each. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { ctidh1024Nike, inlineCtidh } from "../../src/crypto/ctidh/provider.js";
import { hash256 } from "../../src/bytes/hash.js";
import { decodeMkemCiphertext, encodeMkemCiphertext } from "../../src/crypto/mkem/cbor.js";
import {
  mkemDecapsulate,
  mkemEncapsulate,
  mkemOpenReply,
  mkemReplyKey,
} from "../../src/crypto/mkem/mkem.js";
import { ctidh1024X25519Nike, x25519Ctidh1024Nike } from "../../src/crypto/nike/hybrid.js";
import { nikeSchemeByName } from "../../src/crypto/nike/registry.js";
import { nikeSizesByName } from "../../src/pki/scheme-names.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { shake256Random } from "../../src/bacap/seeded-random.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mkem");
const ctidh1024 = ctidh1024Nike(inlineCtidh());
const scheme = ctidh1024X25519Nike(ctidh1024);

for (const v of vectors.ctidh1024_x25519) {
  test(`${v.name} matches the reference byte for byte, and opens`, async () => {
    const random = shake256Random(hex(v.entropy_seed));
    // oxlint-disable-next-line typescript/no-explicit-any
    const publicKeys = v.recipients.map((r: any) => hex(r.public_key));
    const sealed = await mkemEncapsulate(scheme, publicKeys, hex(v.payload), random);
    assert.equal(toHex(sealed.ephemeralPrivateKey), v.ephemeral_private_key);
    assert.equal(toHex(sealed.ephemeralPublicKey), v.ephemeral_public_key);
    assert.equal(toHex(encodeMkemCiphertext(sealed)), v.ciphertext_cbor);
    for (const [i, r] of v.recipients.entries()) {
      assert.equal(toHex(sealed.deks[i]!), r.dek);
      assert.equal(toHex(sealed.replyKeys[i]!), r.secret);
      assert.equal(toHex(hash256(hex(r.raw_shared_secret))), r.secret);
    }
    const last = v.recipients.at(-1);
    const received = decodeMkemCiphertext(scheme, hex(v.ciphertext_cbor));
    const opened = await mkemDecapsulate(scheme, hex(last.private_key), received);
    assert.equal(toHex(opened.payload), v.payload);
    assert.equal(toHex(opened.replyKey), last.secret);
    const replyKey = sealed.replyKeys[v.reply_from_recipient]!;
    assert.equal(toHex(mkemOpenReply(replyKey, hex(v.reply_envelope))), v.reply_plaintext);
  });
}

test("the sender's reply key can also be derived from the private key", async () => {
  const v = vectors.ctidh1024_x25519[0];
  const recipient = v.recipients[v.reply_from_recipient];
  const privateKey = hex(v.ephemeral_private_key);
  const replyKey = await mkemReplyKey(scheme, privateKey, hex(recipient.public_key));
  assert.equal(toHex(mkemOpenReply(replyKey, hex(v.reply_envelope))), v.reply_plaintext);
});

test("the hybrid's fields have the reference's order, X25519 first", async () => {
  for (const v of vectors.hybrid_layout) {
    assert.equal(v.private_key, v.x25519_private_key + v.ctidh_private_key);
    assert.equal(v.public_key, v.x25519_public_key + v.ctidh_public_key);
    assert.equal(v.entropy_prefix32, v.x25519_private_key);
    assert.equal(toHex(await scheme.publicKeyOf(hex(v.private_key))), v.public_key);
  }
  assert.equal(vectors.hybrid_layout.length, 2);
  assert.equal(vectors.ctidh1024_x25519.length, 4);
});

test("hybrid public keys are accepted and refused as by the reference", async () => {
  // oxlint-disable-next-line typescript/no-explicit-any
  const cases = vectors.negative.filter((v: any) => v.scheme === "CTIDH1024-X25519");
  for (const v of cases) {
    const key = v.public_key === undefined ? new Uint8Array(v.length) : hex(v.public_key);
    const check = async () => scheme.checkPublicKey(key);
    if (v.accepted) await check();
    else await assert.rejects(check, RangeError, v.name);
  }
  assert.equal(cases.length, 5);
});

test("the schemes have the documented sizes, and are found by name", () => {
  const available = [x25519Nike, ctidh1024, scheme, x25519Ctidh1024Nike(ctidh1024)];
  for (const one of available) {
    const { name, publicKeyLength, privateKeyLength } = one;
    assert.deepEqual(nikeSizesByName(name), { name, publicKeyLength, privateKeyLength });
    assert.equal(nikeSchemeByName(name.toLowerCase(), available), one);
  }
});
