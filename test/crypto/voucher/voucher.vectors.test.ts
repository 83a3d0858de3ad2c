import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/bytes/bytes.js";
import { WriteCap } from "../../../src/bytes/opaque.js";
import { ctidh1024Nike, inlineCtidh } from "../../../src/crypto/ctidh/provider.js";
import { ctidh1024X25519Nike } from "../../../src/crypto/nike/hybrid.js";
import { shake256Random } from "../../../src/bacap/seeded-random.js";
import {
  inductVoucher,
  mintVoucher,
  openVoucherReply,
  voucherStream,
} from "../../../src/crypto/voucher/voucher.js";
import { isThinClientError } from "../../../src/errors/errors.js";
import { hex, loadVectors } from "../../reference/load-vectors.js";

const vectors = loadVectors("voucher");
const scheme = ctidh1024X25519Nike(ctidh1024Nike(inlineCtidh()));

test("the streams of vouchers match the reference", () => {
  for (const v of vectors.derive_stream) {
    const voucher = hex(v.voucher);
    assert.equal(toHex(shake256Random(voucher)(80)), v.shake256_first80);
    const stream = voucherStream(voucher);
    assert.equal(toHex(stream.writeCap), v.write_cap);
    assert.equal(toHex(stream.readCap), v.read_cap);
  }
  assert.equal(vectors.derive_stream.length, 10);
});

for (const { inputs, mint, induct, open } of vectors.cases) {
  test(`the voucher of "${inputs.display_name}" matches the reference from mint to open`, async () => {
    const messageWriteCap = WriteCap.fromHex(inputs.message_write_cap);
    const minted = await mintVoucher({
      scheme,
      messageWriteCap,
      displayName: inputs.display_name,
      random: shake256Random(hex(inputs.keypair_seed)),
    });
    assert.equal(toHex(minted.voucher), mint.voucher);
    assert.equal(toHex(minted.voucherPayload), mint.voucher_payload);
    assert.equal(toHex(minted.voucherPublicKey), mint.voucher_public_key);
    assert.equal(toHex(minted.voucherSecretKey), mint.voucher_secret_key);
    assert.equal(toHex(minted.stream.writeCap), mint.voucher_write_cap);
    assert.equal(toHex(minted.stream.readCap), mint.voucher_read_cap);

    const inducted = await inductVoucher({
      scheme,
      voucher: hex(mint.voucher),
      voucherPayload: hex(mint.voucher_payload),
      whoReply: hex(inputs.who_reply),
      salt: hex(inputs.salt),
      random: shake256Random(hex(inputs.seal_seed)),
    });
    assert.equal(inducted.displayName, induct.display_name);
    assert.equal(toHex(inducted.messageReadCap), induct.mutated_message_read_cap);
    assert.equal(toHex(inducted.sealedReply), induct.sealed_reply);
    assert.equal(toHex(inducted.stream.writeCap), induct.voucher_write_cap);
    assert.equal(toHex(inducted.stream.readCap), induct.voucher_read_cap);
    assert.equal(toHex(inducted.salt), induct.salt);

    const opened = await openVoucherReply({
      scheme,
      voucherSecretKey: hex(mint.voucher_secret_key),
      sealedReply: hex(induct.sealed_reply),
      messageWriteCap,
    });
    assert.equal(toHex(opened.whoReply), open.who_reply);
    assert.equal(toHex(opened.salt), open.salt);
    assert.equal(toHex(opened.messageWriteCap), open.mutated_message_write_cap);
  });
}

// oxlint-disable-next-line typescript/no-explicit-any
function runNegative(name: string, inputs: any): Promise<unknown> {
  const [{ mint, inputs: good }] = vectors.cases;
  const field = (key: string, otherwise: string) => hex(inputs[key] ?? otherwise);
  const cap = (text: string) => WriteCap.fromHex(text);
  const badCap = new Uint8Array(167) as WriteCap;
  if (name.startsWith("induct")) {
    return inductVoucher({
      scheme,
      voucher: field("voucher", mint.voucher),
      voucherPayload: field("voucher_payload", mint.voucher_payload),
      whoReply: hex(good.who_reply),
      salt: name === "induct_salt_31_bytes" ? new Uint8Array(31) : hex(good.salt),
    });
  }
  if (name.startsWith("open")) {
    return openVoucherReply({
      scheme,
      voucherSecretKey:
        name === "open_short_secret_key"
          ? new Uint8Array(161)
          : field("voucher_secret_key", mint.voucher_secret_key),
      sealedReply: field("sealed_reply", vectors.cases[0].induct.sealed_reply),
      messageWriteCap:
        name === "open_bad_write_cap"
          ? badCap
          : cap(inputs.message_write_cap ?? good.message_write_cap),
    });
  }
  assert.equal(name, "mint_bad_write_cap");
  return mintVoucher({ scheme, messageWriteCap: badCap, displayName: "x" });
}

test("refuses what the reference refuses, with the corresponding code", async () => {
  const codes: Record<string, string> = {
    "voucher: payload does not hash to the voucher": "THIN_CLIENT_ERROR_VOUCHER_HASH_MISMATCH",
    "voucher: signed please-add did not verify": "THIN_CLIENT_ERROR_VOUCHER_SIGNATURE_INVALID",
    "voucher: could not open sealed reply": "THIN_CLIENT_ERROR_VOUCHER_SEAL_OPEN_FAILED",
  };
  for (const v of vectors.negative) {
    await assert.rejects(runNegative(v.name, v.inputs), (error) => {
      if (v.error === "voucher: invalid argument") assert.ok(error instanceof RangeError, v.name);
      else assert.ok(isThinClientError(error) && error.code === codes[v.error], v.name);
      return true;
    });
  }
  assert.equal(vectors.negative.length, 9);
  assert.equal(vectors.cases.length, 3);
});
