/** A contact voucher from creation to first message. Its key exchange takes seconds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "../../src/bytes/bytes.js";
import { MessageBoxIndex } from "../../src/bytes/opaque.js";
import { VoucherHashMismatchError, VoucherSealOpenFailedError } from "../../src/errors/errors.js";
import { DAEMON_PLACES, TwoClients, newStream } from "./two-clients.js";

for (const place of DAEMON_PLACES) {
  describe(`vouchers, daemon ${place}`, { timeout: 300_000 }, () => {
    test("a newcomer is admitted, and both then use the mutated stream", async () => {
      await using both = await TwoClients.startAt(place);
      const { alice: newcomer, bob: member } = both;
      const messages = await newStream(newcomer);
      const minted = await newcomer.voucherMint(messages.writeCap, "Ada");
      assert.equal(minted.voucher.length, 32);
      assert.equal(minted.voucherPublicKey.length, 160);

      // The newcomer publishes the payload in box 0 of the stream that the voucher names.
      const payload = minted.voucherPayload;
      const derived = await member.voucherDeriveStream(minted.voucher);
      assert.deepEqual(derived.voucherReadCap, minted.voucherReadCap);
      assert.deepEqual(derived.voucherWriteCap, minted.voucherWriteCap);
      const box0 = minted.voucherReadCap.subarray(32);
      const published = await newcomer.write(
        minted.voucherWriteCap,
        MessageBoxIndex.from(box0),
        payload,
      );

      const found = await member.read(derived.voucherReadCap, MessageBoxIndex.from(box0));
      const inducted = await member.voucherInduct(minted.voucher, found.plaintext, utf8("welcome"));
      assert.equal(inducted.displayName, "Ada");
      await member.write(derived.voucherWriteCap, found.nextMessageBoxIndex, inducted.sealedReply);

      const { plaintext: sealedReply } = await newcomer.read(
        minted.voucherReadCap,
        published.nextMessageBoxIndex,
      );
      const opened = await newcomer.voucherOpen(
        minted.voucherSecretKey,
        sealedReply,
        messages.writeCap,
      );
      assert.deepEqual(opened.whoReply, utf8("welcome"));
      assert.deepEqual(opened.salt, inducted.salt);

      // The member reads with its capability what the newcomer writes with the mutated one.
      const readCap = inducted.mutatedMessageReadCap;
      assert.deepEqual(opened.mutatedMessageWriteCap.subarray(32), readCap);
      const index = MessageBoxIndex.from(readCap.subarray(32));
      await newcomer.write(opened.mutatedMessageWriteCap, index, "hello, everybody");
      assert.deepEqual((await member.read(readCap, index)).plaintext, utf8("hello, everybody"));

      const tampered = payload.slice();
      tampered[tampered.length - 1]! ^= 1;
      await assert.rejects(
        member.voucherInduct(minted.voucher, tampered, utf8("no")),
        VoucherHashMismatchError,
      );
      const wrongKey = minted.voucherSecretKey.slice();
      wrongKey[0]! ^= 8;
      await assert.rejects(
        newcomer.voucherOpen(wrongKey, sealedReply, messages.writeCap),
        VoucherSealOpenFailedError,
      );
    });
  });
}
