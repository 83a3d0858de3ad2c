import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { type Bytes, toHex, utf8 } from "../../src/bytes/bytes.js";
import { ReadCap, WriteCap } from "../../src/bytes/opaque.js";
import { hasCode } from "../../src/errors/errors.js";
import { generateKeypair, mutateCap, readCapOf } from "../../src/bacap/capabilities.js";
import { hash256 } from "../../src/bytes/hash.js";
import { mkemEncapsulate } from "../../src/crypto/mkem/mkem.js";
import { encodeMkemCiphertext } from "../../src/crypto/mkem/cbor.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { shake256Random } from "../../src/bacap/seeded-random.js";
import {
  inductVoucher,
  mintVoucher,
  openVoucherReply,
  voucherStream,
} from "../../src/crypto/voucher/voucher.js";
import {
  decodeVoucherPayload,
  encodePleaseAdd,
  encodeSignedPleaseAdd,
  encodeVoucherPayload,
} from "../../src/crypto/voucher/voucher-messages.js";

// The scheme is a parameter, so the fast one shows everything that does not depend on it.
const scheme = x25519Nike;
const { writeCap: messageWriteCap, readCap: messageReadCap } = generateKeypair();
const minted = await mintVoucher({ scheme, messageWriteCap, displayName: "Zoë" });
const { voucher, voucherPayload, voucherSecretKey } = minted;

test("newcomer and member arrive at the same mutated stream", async () => {
  const whoReply = utf8("welcome");
  const inducted = await inductVoucher({ scheme, voucher, voucherPayload, whoReply });
  assert.equal(inducted.displayName, "Zoë");
  assert.equal(inducted.salt.length, 32);
  assert.deepEqual(inducted.stream, minted.stream);
  assert.deepEqual(minted.stream, voucherStream(voucher));
  assert.equal(toHex(inducted.messageReadCap), toHex(mutateCap(messageReadCap, inducted.salt)));
  const { sealedReply } = inducted;
  const opened = await openVoucherReply({ scheme, voucherSecretKey, sealedReply, messageWriteCap });
  assert.equal(toHex(opened.whoReply), toHex(whoReply));
  assert.equal(toHex(opened.salt), toHex(inducted.salt));
  assert.equal(toHex(readCapOf(opened.messageWriteCap)), toHex(inducted.messageReadCap));
});

test("seeded minting and inducting give the same result twice", async () => {
  const seed = () => shake256Random(Uint8Array.of(1));
  const mint = () => mintVoucher({ scheme, messageWriteCap, displayName: "x", random: seed() });
  assert.deepEqual(await mint(), await mint());
  const whoReply = utf8("w");
  const induct = () => inductVoucher({ scheme, voucher, voucherPayload, whoReply, random: seed() });
  assert.deepEqual(await induct(), await induct());
});

test("a modified payload does not hash to the voucher", async () => {
  for (let at = 0; at < voucherPayload.length; at += 29) {
    const changed = voucherPayload.slice();
    changed[at]! ^= 1;
    await assert.rejects(
      inductVoucher({ scheme, voucher, voucherPayload: changed, whoReply: utf8("") }),
      (e) => hasCode(e, "THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH"),
    );
  }
});

function forged(displayName: string, readCap: ReadCap, signature: Bytes, key?: Bytes) {
  const pleaseAdd = encodePleaseAdd({ displayName, messageReadCap: readCap });
  const payload = encodeVoucherPayload({
    voucherPublicKey: key ?? minted.voucherPublicKey,
    signedPleaseAdd: encodeSignedPleaseAdd({ pleaseAdd, signature }),
  });
  return { voucher: hash256(payload), voucherPayload: payload };
}

test("a please-add that somebody else signed is refused", async () => {
  const forgery = forged("mallory", messageReadCap, new Uint8Array(64));
  await assert.rejects(inductVoucher({ scheme, ...forgery, whoReply: utf8("") }), (e) =>
    hasCode(e, "THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID"),
  );
});

test("a payload with the right hash and malformed contents is a protocol error", async () => {
  const seed = messageWriteCap.slice(0, 32);
  const pleaseAdd = encodePleaseAdd({ displayName: "x", messageReadCap });
  const signature = ed25519.sign(pleaseAdd, seed) as Bytes;
  const lowOrder = forged("x", messageReadCap, signature, new Uint8Array(32));
  const shortKey = forged("x", messageReadCap, signature, new Uint8Array(31));
  const nonsense = utf8("nonsense");
  const cases = [lowOrder, shortKey, { voucher: hash256(nonsense), voucherPayload: nonsense }];
  for (const one of cases) {
    await assert.rejects(inductVoucher({ scheme, ...one, whoReply: utf8("") }), (e) =>
      hasCode(e, "ERR_PROTOCOL"),
    );
  }
});

test("a reply for another key does not open, nor does a damaged one", async () => {
  const { sealedReply } = await inductVoucher({
    scheme,
    voucher,
    voucherPayload,
    whoReply: utf8("w"),
  });
  const open = (key: Uint8Array, reply: Uint8Array) =>
    openVoucherReply({ scheme, voucherSecretKey: key, sealedReply: reply, messageWriteCap });
  const failed = (e: unknown) => hasCode(e, "THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED");
  await assert.rejects(open(scheme.generate().privateKey, sealedReply), failed);
  for (let cut = 0; cut < sealedReply.length; cut += 17) {
    await assert.rejects(open(voucherSecretKey, sealedReply.slice(0, cut)), failed);
  }
  const { voucherPublicKey } = decodeVoucherPayload(voucherPayload, 32);
  const other = await mkemEncapsulate(scheme, [voucherPublicKey], utf8("not a reply"));
  await assert.rejects(open(voucherSecretKey, encodeMkemCiphertext(other)), failed);
});

test("wrong arguments are refused by name", async () => {
  const whoReply = utf8("w");
  const badCap = WriteCap.from(messageWriteCap);
  badCap[0]! ^= 1;
  const sealedReply = new Uint8Array(1);
  const calls: (() => Promise<unknown>)[] = [
    () => mintVoucher({ scheme, messageWriteCap: badCap, displayName: "x" }),
    () => mintVoucher({ scheme, messageWriteCap, displayName: 5 as never }),
    () => inductVoucher({ scheme, voucher: voucher.slice(1), voucherPayload, whoReply }),
    () => inductVoucher({ scheme, voucher, voucherPayload, whoReply, salt: new Uint8Array(31) }),
    () => inductVoucher({ scheme, voucher, voucherPayload, whoReply: "x" as never }),
    () =>
      openVoucherReply({
        scheme,
        voucherSecretKey: new Uint8Array(31),
        sealedReply,
        messageWriteCap,
      }),
    () => openVoucherReply({ scheme, voucherSecretKey, sealedReply, messageWriteCap: badCap }),
    async () => voucherStream(voucher.slice(1)),
  ];
  for (const call of calls) {
    await assert.rejects(call, (e) => e instanceof RangeError || e instanceof TypeError);
  }
});
