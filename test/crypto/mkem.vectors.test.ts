import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/bytes.js";
import { isThinClientError } from "../../src/errors/errors.js";
import { hash256 } from "../../src/bytes/hash.js";
import { decodeMkemCiphertext, encodeMkemCiphertext } from "../../src/crypto/mkem/cbor.js";
import {
  mkemDecapsulate,
  mkemEncapsulate,
  mkemOpenReply,
  mkemReplyKey,
  mkemSealReply,
} from "../../src/crypto/mkem/mkem.js";
import { nikeSchemeByName } from "../../src/crypto/nike/registry.js";
import { nikeSizesByName } from "../../src/pki/scheme-names.js";
import { nikeSizes } from "../../src/pki/scheme-names.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { shake256Random } from "../../src/bacap/seeded-random.js";
import { hex, loadVectors } from "../reference/load-vectors.js";

const vectors = loadVectors("mkem");
const scheme = x25519Nike;

test("MKEM over x25519 matches the reference byte for byte, and every recipient opens it", async () => {
  for (const v of vectors.x25519) {
    const random = shake256Random(hex(v.entropy_seed));
    // oxlint-disable-next-line typescript/no-explicit-any
    const publicKeys = v.recipients.map((r: any) => hex(r.public_key));
    const sealed = await mkemEncapsulate(scheme, publicKeys, hex(v.payload), random);
    assert.equal(toHex(sealed.ephemeralPrivateKey), v.ephemeral_private_key, v.name);
    assert.equal(toHex(sealed.ephemeralPublicKey), v.ephemeral_public_key);
    assert.equal(toHex(sealed.envelope), v.envelope);
    assert.equal(toHex(encodeMkemCiphertext(sealed)), v.ciphertext_cbor);
    const decoded = decodeMkemCiphertext(scheme, hex(v.ciphertext_cbor));
    assert.equal(toHex(encodeMkemCiphertext(decoded)), v.ciphertext_cbor);
    for (const [i, r] of v.recipients.entries()) {
      assert.equal(toHex(scheme.publicKeyOf(hex(r.private_key))), r.public_key);
      const raw = scheme.sharedSecret(hex(r.private_key), sealed.ephemeralPublicKey);
      assert.equal(toHex(raw), r.raw_shared_secret);
      assert.equal(toHex(hash256(raw)), r.secret);
      assert.equal(toHex(sealed.deks[i]!), r.dek);
      assert.equal(toHex(sealed.replyKeys[i]!), r.secret);
      const all = await mkemDecapsulate(scheme, hex(r.private_key), sealed);
      assert.equal(toHex(all.payload), v.payload);
      assert.equal(toHex(all.replyKey), r.secret);
      const own = { ...sealed, deks: [hex(r.dek)] };
      assert.equal(
        toHex((await mkemDecapsulate(scheme, hex(r.private_key), own)).payload),
        v.payload,
      );
    }
    const replyKey = await mkemReplyKey(
      scheme,
      sealed.ephemeralPrivateKey,
      publicKeys[v.reply_from_recipient],
    );
    const reply = hex(v.reply_envelope);
    assert.equal(toHex(mkemOpenReply(replyKey, reply)), v.reply_plaintext);
    const resealed = mkemSealReply(replyKey, hex(v.reply_plaintext), () => reply.slice(0, 12));
    assert.equal(toHex(resealed), v.reply_envelope);
  }
  assert.equal(vectors.x25519.length, 14);
});

test("X25519 matches the reference; a low-order key that crashed the reference causes an error", () => {
  let refused = 0;
  for (const v of vectors.x25519_dh) {
    assert.equal(toHex(scheme.publicKeyOf(hex(v.private_key))), v.own_public_key);
    const run = () => toHex(scheme.sharedSecret(hex(v.private_key), hex(v.peer_public_key)));
    if (v.error === "") {
      assert.equal(run(), v.shared_secret);
      continue;
    }
    assert.throws(run, RangeError);
    refused++;
  }
  assert.equal(vectors.x25519_dh.length, 15);
  assert.equal(refused, 1);
});

// oxlint-disable-next-line typescript/no-explicit-any
async function runNegative(v: any): Promise<string> {
  if (v.operation === "Decapsulate") {
    const opened = await mkemDecapsulate(scheme, hex(v.private_key), {
      ephemeralPublicKey: hex(v.ephemeral_public_key),
      deks: v.deks.map((dek: string) => hex(dek)),
      envelope: hex(v.envelope),
    });
    return toHex(opened.payload);
  }
  assert.equal(v.operation, "DecryptEnvelope");
  const replyKey = await mkemReplyKey(scheme, hex(v.private_key), hex(v.public_key));
  return toHex(mkemOpenReply(replyKey, hex(v.envelope)));
}

test("damaged MKEM ciphertexts are refused with the reference's error texts", async () => {
  let cases = 0;
  for (const v of vectors.negative) {
    if (v.operation === "UnmarshalBinaryPublicKey") continue;
    cases++;
    if (v.accepted) {
      assert.equal(await runNegative(v), v.plaintext, v.name);
      continue;
    }
    await assert.rejects(runNegative(v), (error) => {
      assert.ok(isThinClientError(error), v.name);
      assert.equal(error.code, "THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED");
      if (!v.error.startsWith("PANIC")) assert.equal(error.message, v.error, v.name);
      return true;
    });
  }
  assert.equal(cases, 14);
});

test("x25519 public keys of another length are refused", () => {
  // oxlint-disable-next-line typescript/no-explicit-any
  const cases = vectors.negative.filter((v: any) => v.scheme === "x25519");
  for (const v of cases) {
    const key = new Uint8Array(v.length);
    assert.throws(() => scheme.checkPublicKey(key), RangeError, v.name);
    assert.throws(() => scheme.sharedSecret(new Uint8Array(32), key), RangeError, v.name);
  }
  assert.equal(cases.length, 4);
});

test("names and sizes of the NIKE schemes match the reference", () => {
  assert.deepEqual(
    nikeSizes.map((s) => [s.name, s.publicKeyLength, s.privateKeyLength]),
    // oxlint-disable-next-line typescript/no-explicit-any
    vectors.schemes.map((v: any) => [v.name, v.public_key_size, v.private_key_size]),
  );
  for (const v of vectors.scheme_lookup) {
    if (v.found) assert.equal(nikeSizesByName(v.query).name, v.canonical_name);
    else assert.throws(() => nikeSizesByName(v.query), RangeError);
  }
  assert.equal(vectors.schemes.length, 12);
  assert.equal(vectors.scheme_lookup.length, 9);
});

test("an available scheme is found by its name in any case", () => {
  assert.equal(nikeSchemeByName("X25519"), x25519Nike);
  assert.throws(() => nikeSchemeByName("CTIDH1024-X25519"), /unknown NIKE scheme/);
  const other = { ...x25519Nike, name: "Other" };
  assert.equal(nikeSchemeByName("oTHER", [x25519Nike, other]), other);
});
