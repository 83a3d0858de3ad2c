import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "cborg";
import { randomBytes, toHex, utf8 } from "../../src/bytes/bytes.js";
import { hasCode } from "../../src/errors/errors.js";
import { decodeMkemCiphertext, encodeMkemCiphertext } from "../../src/crypto/mkem/cbor.js";
import {
  MKEM_DEK_LENGTH,
  MKEM_OVERHEAD,
  mkemDecapsulate,
  mkemEncapsulate,
  mkemOpenReply,
  mkemReplyKey,
  mkemSealReply,
} from "../../src/crypto/mkem/mkem.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";

const scheme = x25519Nike;
const recipients = [scheme.generate(), scheme.generate(), scheme.generate()];
const publicKeys = recipients.map((pair) => pair.publicKey);
const payload = utf8("payload");
const failed = (e: unknown) => hasCode(e, "THIN_CLIENT_ERROR_MKEM_DECRYPTION_FAILED");

test("every recipient can open a message, and nobody else", async () => {
  const sealed = await mkemEncapsulate(scheme, publicKeys, payload);
  assert.equal(sealed.envelope.length, payload.length + MKEM_OVERHEAD);
  assert.ok(sealed.deks.every((dek) => dek.length === MKEM_DEK_LENGTH));
  for (const pair of recipients) {
    const opened = await mkemDecapsulate(scheme, pair.privateKey, sealed);
    assert.equal(toHex(opened.payload), toHex(payload));
  }
  const stranger = scheme.generate();
  await assert.rejects(mkemDecapsulate(scheme, stranger.privateKey, sealed), failed);
});

test("the keys from encapsulation open the replies", async () => {
  const sealed = await mkemEncapsulate(scheme, publicKeys, payload);
  for (const [i, pair] of recipients.entries()) {
    const { replyKey } = await mkemDecapsulate(scheme, pair.privateKey, sealed);
    const reply = mkemSealReply(replyKey, utf8(`reply ${i}`));
    assert.equal(toHex(mkemOpenReply(sealed.replyKeys[i]!, reply)), toHex(utf8(`reply ${i}`)));
    const again = await mkemReplyKey(scheme, sealed.ephemeralPrivateKey, pair.publicKey);
    assert.equal(toHex(again), toHex(sealed.replyKeys[i]!));
    assert.throws(() => mkemOpenReply(sealed.replyKeys[(i + 1) % 3]!, reply), failed);
  }
});

test("two encapsulations of one message have different keys, envelopes and DEKs", async () => {
  const one = await mkemEncapsulate(scheme, publicKeys, payload);
  const two = await mkemEncapsulate(scheme, publicKeys, payload);
  assert.notEqual(toHex(one.ephemeralPublicKey), toHex(two.ephemeralPublicKey));
  assert.notEqual(toHex(one.envelope), toHex(two.envelope));
  assert.notEqual(toHex(one.deks[0]!), toHex(two.deks[0]!));
});

test("every truncation of an envelope, a DEK or a reply causes an error, not a crash", async () => {
  const [pair] = recipients;
  const sealed = await mkemEncapsulate(scheme, [pair!.publicKey], payload);
  const reply = mkemSealReply(sealed.replyKeys[0]!, payload);
  for (let cut = 0; cut < sealed.envelope.length; cut++) {
    const envelope = sealed.envelope.slice(0, cut);
    await assert.rejects(
      mkemDecapsulate(scheme, pair!.privateKey, { ...sealed, envelope }),
      failed,
    );
    assert.throws(() => mkemOpenReply(sealed.replyKeys[0]!, reply.slice(0, cut)), failed);
  }
  for (let cut = 0; cut < MKEM_DEK_LENGTH; cut++) {
    const deks = [sealed.deks[0]!.slice(0, cut)];
    await assert.rejects(mkemDecapsulate(scheme, pair!.privateKey, { ...sealed, deks }), failed);
  }
});

test("a DEK that opens to something other than a key is skipped", async () => {
  const [pair] = recipients;
  const sealed = await mkemEncapsulate(scheme, [pair!.publicKey], payload);
  const deks = [mkemSealReply(sealed.replyKeys[0]!, randomBytes(31)), ...sealed.deks];
  const opened = await mkemDecapsulate(scheme, pair!.privateKey, { ...sealed, deks });
  assert.equal(toHex(opened.payload), toHex(payload));
});

test("keys without a usable shared secret cause an error on both sides", async () => {
  const zero = new Uint8Array(32);
  await assert.rejects(mkemEncapsulate(scheme, [zero], payload), RangeError);
  const sealed = await mkemEncapsulate(scheme, publicKeys, payload);
  const crafted = { ...sealed, ephemeralPublicKey: zero };
  await assert.rejects(mkemDecapsulate(scheme, recipients[0]!.privateKey, crafted), RangeError);
});

test("wrong arguments are refused by name", async () => {
  await assert.rejects(mkemEncapsulate(scheme, [], payload), /publicKeys/);
  await assert.rejects(mkemEncapsulate(scheme, publicKeys, "x" as never), /payload/);
  await assert.rejects(mkemEncapsulate(scheme, [new Uint8Array(31)], payload), /publicKey/);
  assert.throws(() => mkemSealReply(new Uint8Array(31), payload), /replyKey/);
  assert.throws(() => mkemOpenReply(new Uint8Array(31), payload), /replyKey/);
});

test("CBOR that is not an MKEM ciphertext is refused", async () => {
  const sealed = await mkemEncapsulate(scheme, publicKeys, payload);
  const good = encodeMkemCiphertext(sealed);
  decodeMkemCiphertext(scheme, good);
  const fields = {
    Envelope: sealed.envelope,
    DEKCiphertexts: sealed.deks,
    EphemeralPublicKey: sealed.ephemeralPublicKey,
  };
  const bad: [string, Uint8Array][] = [
    ["nothing", new Uint8Array(0)],
    ["an array", encode([1])],
    ["trailing bytes", Uint8Array.from([...good, 0])],
    ["a missing field", encode({ Envelope: sealed.envelope })],
    ["text for bytes", encode({ ...fields, Envelope: "x" })],
    ["a short envelope", encode({ ...fields, Envelope: new Uint8Array(27) })],
    ["a short DEK", encode({ ...fields, DEKCiphertexts: [new Uint8Array(59)] })],
    ["text for a DEK", encode({ ...fields, DEKCiphertexts: ["x"] })],
    ["bytes for the DEKs", encode({ ...fields, DEKCiphertexts: new Uint8Array(60) })],
    ["a short key", encode({ ...fields, EphemeralPublicKey: new Uint8Array(31) })],
    ["a duplicate key", Uint8Array.from([0xa2, 0x61, 0x41, 0x01, 0x61, 0x41, 0x02])],
    ["too much", new Uint8Array(200_000)],
    ["endless nesting", new Uint8Array(100_000).fill(0x81)],
  ];
  for (const [what, bytes] of bad) {
    assert.throws(
      () => decodeMkemCiphertext(scheme, bytes),
      (e) => hasCode(e, "ERR_PROTOCOL"),
      what,
    );
  }
  for (let cut = 0; cut < good.length; cut += 3) {
    assert.throws(
      () => decodeMkemCiphertext(scheme, good.slice(0, cut)),
      (e) => hasCode(e, "ERR_PROTOCOL"),
    );
  }
});
