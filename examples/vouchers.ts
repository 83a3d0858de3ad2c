/**
 * A newcomer joins a group with a contact voucher. Vouchers use CTIDH, whose key exchanges take
 * seconds: this example runs for a few seconds, on a slow machine for ten.
 */
import assert from "node:assert/strict";
import { ThinClient, randomBytes, utf8, utf8ToText } from "katzenpost-thinclient";
import { firstIndexOf } from "katzenpost-thinclient/bacap";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using newcomer = await ThinClient.connect(daemon.config());
await using member = await ThinClient.connect(daemon.config());

// #region mint
// The newcomer creates a stream for their messages, and a voucher for it.
const messages = await newcomer.newKeypair(randomBytes(32));
const minted = await newcomer.voucherMint(messages.writeCap, "Ada");
// Box 0 of the voucher's own stream tells a member who is asking; box 1 is for the answer.
const box0 = firstIndexOf(minted.voucherReadCap);
const { nextMessageBoxIndex: box1 } = await newcomer.write(
  minted.voucherWriteCap,
  box0,
  minted.voucherPayload,
);
// Hand these 32 bytes to a member in private: anyone who has them can answer.
const { voucher } = minted;
// #endregion

// #region induct
const { voucherReadCap } = await member.voucherDeriveStream(voucher);
const found = await member.read(voucherReadCap, firstIndexOf(voucherReadCap));
const whoReply = utf8("welcome; we are Ben, Cleo and Dan");
const inducted = await member.voucherInduct(voucher, found.plaintext, whoReply);
console.log(inducted.displayName); // chosen by the newcomer: show it with care
await member.write(inducted.voucherWriteCap, found.nextMessageBoxIndex, inducted.sealedReply);
// #endregion
assert.equal(inducted.displayName, "Ada");

// #region open
const { plaintext: sealedReply } = await newcomer.read(minted.voucherReadCap, box1);
const opened = await newcomer.voucherOpen(minted.voucherSecretKey, sealedReply, messages.writeCap);
console.log(utf8ToText(opened.whoReply));

// From now on the newcomer writes with the changed capability, which only members can read.
const { mutatedMessageWriteCap } = opened;
await newcomer.write(mutatedMessageWriteCap, firstIndexOf(mutatedMessageWriteCap), "hello all");

const { mutatedMessageReadCap } = inducted;
const hello = await member.read(mutatedMessageReadCap, firstIndexOf(mutatedMessageReadCap));
// #endregion
assert.equal(utf8ToText(hello.plaintext), "hello all");
assert.deepEqual(opened.whoReply, whoReply);
