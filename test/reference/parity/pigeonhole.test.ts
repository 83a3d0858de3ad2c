/** A Python user's calls for boxes, on a whole network. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  type CreateEnvelopesResult,
  type EncryptReadResult,
  type EncryptWriteResult,
  type KeypairResult,
  type MessageBoxIndex,
  StartResendingCancelledError,
  type StartResendingResult,
  type ThinClient,
  type TombstoneEnvelope,
  TombstoneError,
  type TombstoneRangeResult,
  type VoucherInductResult,
  type VoucherMintResult,
  type VoucherOpenResult,
  type VoucherStreamResult,
  type WriteCap,
  utf8,
  utf8ToText,
  writeCapHash,
} from "../../../src/index.js";
import { startTestNetwork } from "../../../src/testing/index.js";

let seeds = 0;

const stream = (client: ThinClient): Promise<KeypairResult> =>
  client.newKeypair(new Uint8Array(32).fill(++seeds));

async function write(
  client: ThinClient,
  writeCap: WriteCap,
  index: MessageBoxIndex,
  plaintext: Uint8Array,
): Promise<void> {
  await client.startResendingEncryptedMessage(
    await client.encryptWrite(plaintext, writeCap, index),
  );
}

test("a box is written and read in the steps of the binding", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const pair: KeypairResult = await client.newKeypair(new Uint8Array(32));
  const { writeCap, readCap, firstMessageIndex } = pair;
  const sealed: EncryptWriteResult = await client.encryptWrite(
    utf8("hello"),
    writeCap,
    firstMessageIndex,
  );
  const written: StartResendingResult = await client.startResendingEncryptedMessage({
    writeCap,
    messageBoxIndex: firstMessageIndex,
    replyIndex: 0,
    envelopeDescriptor: sealed.envelopeDescriptor,
    messageCiphertext: sealed.messageCiphertext,
    envelopeHash: sealed.envelopeHash,
  });
  assert.equal(written.plaintext.length, 0);
  const asked: EncryptReadResult = await client.encryptRead(readCap, firstMessageIndex);
  assert.equal(asked.envelopeHash.length, 32);
  assert.ok(asked.messageCiphertext.length > 0 && asked.envelopeDescriptor.length > 0);
  const read = await client.startResendingEncryptedMessage(asked);
  assert.equal(utf8ToText(read.plaintext), "hello");
  assert.equal(read.courierIdentityHash?.length, 32);
  assert.equal(utf8ToText(read.courierQueueId!), "courier");
  const next = await client.nextMessageBoxIndex(firstMessageIndex);
  assert.deepEqual(next, asked.nextMessageBoxIndex);
  assert.deepEqual(next, sealed.nextMessageBoxIndex);
  const counters = [firstMessageIndex, next].map((i) => client.getMessageBoxIndexCounter(i));
  const [first, second] = await Promise.all(counters);
  assert.equal(second, first! + 1n);
});

test("the two variants report a taken and an empty box", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const { writeCap, readCap, firstMessageIndex } = await stream(client);
  const read = await client.encryptRead(readCap, firstMessageIndex);
  await assert.rejects(client.startResendingEncryptedMessageNoRetry(read), BoxIDNotFoundError);
  await write(client, writeCap, firstMessageIndex, utf8("first"));
  await client.startResendingEncryptedMessage(await client.encryptRead(readCap, firstMessageIndex));
  const other = await client.encryptWrite(utf8("second"), writeCap, firstMessageIndex);
  await assert.rejects(
    client.startResendingEncryptedMessageReturnBoxExists(other),
    BoxAlreadyExistsError,
  );
  const flagged = { ...other, noIdempotentBoxAlreadyExists: true };
  await assert.rejects(client.startResendingEncryptedMessage(flagged), BoxAlreadyExistsError);
  const beyond = await client.encryptRead(
    readCap,
    await client.nextMessageBoxIndex(firstMessageIndex),
  );
  await assert.rejects(
    client.startResendingEncryptedMessage({ ...beyond, noRetryOnBoxIdNotFound: true }),
    BoxIDNotFoundError,
  );
});

test("a waiting read and a waiting copy command are cancelled", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const { writeCap, readCap, firstMessageIndex } = await stream(client);
  const asked = await client.encryptRead(readCap, firstMessageIndex);
  const reading = client.startResendingEncryptedMessage(asked);
  const copying = client.startResendingCopyCommand(writeCap);
  const both = Promise.all([
    assert.rejects(reading, StartResendingCancelledError),
    assert.rejects(copying, StartResendingCancelledError),
  ]);
  await client.cancelResendingEncryptedMessage(asked.envelopeHash);
  await client.cancelResendingCopyCommand(writeCapHash(writeCap));
  await both;
});

test("a payload is copied through a temporary stream, with a chosen courier", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const [temporary, destination] = [await stream(client), await stream(client)];
  const payload = new Uint8Array(2000).fill(7);
  const made: CreateEnvelopesResult = await client.createCourierEnvelopesFromPayload({
    payload,
    destWriteCap: destination.writeCap,
    destStartIndex: destination.firstMessageIndex,
    isStart: true,
    isLast: true,
  });
  assert.equal(made.buffer.length, 0);
  let index = temporary.firstMessageIndex;
  for (const element of made.envelopes) {
    await write(client, temporary.writeCap, index, element);
    index = await client.nextMessageBoxIndex(index);
  }
  const [courier] = client.getDistinctCouriers(1);
  await client.startResendingCopyCommand(temporary.writeCap, { courier: courier! });
  const first = await client.read(destination.readCap, destination.firstMessageIndex);
  const second = await client.read(destination.readCap, first.nextMessageBoxIndex);
  assert.deepEqual(new Uint8Array([...first.plaintext, ...second.plaintext]), payload);
  assert.deepEqual(made.nextDestIndex, second.nextMessageBoxIndex);
});

test("builders carry their buffer over calls, for payloads and for tombstones", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const [one, two] = [await stream(client), await stream(client)];
  const first = await client.createCourierEnvelopesFromMultiPayload({
    destinations: [
      { payload: utf8("to one"), writeCap: one.writeCap, startIndex: one.firstMessageIndex },
      { payload: utf8("to two"), writeCap: two.writeCap, startIndex: two.firstMessageIndex },
    ],
    isStart: true,
    isLast: false,
  });
  assert.equal(first.nextDestIndices.length, 2);
  assert.equal(first.nextDestIndex, null);
  assert.ok(first.buffer.length > 0);
  const last = await client.createCourierEnvelopesFromTombstoneRange({
    destWriteCap: one.writeCap,
    destStartIndex: first.nextDestIndices[0]!,
    maxCount: 2,
    isStart: false,
    isLast: true,
    buffer: first.buffer,
  });
  assert.equal(last.buffer.length, 0);
  const temporary = await stream(client);
  let index = temporary.firstMessageIndex;
  for (const element of [...first.envelopes, ...last.envelopes]) {
    await write(client, temporary.writeCap, index, element);
    index = await client.nextMessageBoxIndex(index);
  }
  await client.startResendingCopyCommand(temporary.writeCap);
  const { plaintext } = await client.read(two.readCap, two.firstMessageIndex);
  assert.equal(utf8ToText(plaintext), "to two");
  await assert.rejects(client.read(one.readCap, first.nextDestIndices[0]!), TombstoneError);
});

test("a range of tombstones is created, sent, and read as deleted", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const { writeCap, readCap, firstMessageIndex } = await stream(client);
  const range: TombstoneRangeResult = await client.tombstoneRange(writeCap, firstMessageIndex, 2);
  const [first]: readonly TombstoneEnvelope[] = range.envelopes;
  assert.deepEqual(first?.boxIndex, firstMessageIndex);
  assert.equal(range.envelopes.length, 2);
  for (const { boxIndex, messageCiphertext, envelopeDescriptor, envelopeHash } of range.envelopes) {
    await client.startResendingEncryptedMessage({
      messageCiphertext,
      envelopeDescriptor,
      envelopeHash,
      writeCap,
    });
    await assert.rejects(client.read(readCap, boxIndex), TombstoneError);
  }
  const second = await client.nextMessageBoxIndex(firstMessageIndex);
  assert.deepEqual(range.next, await client.nextMessageBoxIndex(second));
});

test("a voucher is minted, its holder admitted, and the answer opened", async () => {
  await using network = await startTestNetwork();
  const client = await network.client();
  const { writeCap } = await stream(client);
  const minted: VoucherMintResult = await client.voucherMint(writeCap, "newcomer");
  assert.equal(minted.voucherPublicKey.length, 160);
  const derived: VoucherStreamResult = await client.voucherDeriveStream(minted.voucher);
  assert.deepEqual(derived.voucherWriteCap, minted.voucherWriteCap);
  assert.deepEqual(derived.voucherReadCap, minted.voucherReadCap);
  const inducted: VoucherInductResult = await client.voucherInduct(
    minted.voucher,
    minted.voucherPayload,
    utf8("welcome"),
  );
  assert.equal(inducted.displayName, "newcomer");
  assert.equal(inducted.mutatedMessageReadCap.length, 136);
  const opened: VoucherOpenResult = await client.voucherOpen(
    minted.voucherSecretKey,
    inducted.sealedReply,
    writeCap,
  );
  assert.equal(utf8ToText(opened.whoReply), "welcome");
  assert.deepEqual(opened.salt, inducted.salt);
  assert.equal(opened.mutatedMessageWriteCap.length, 168);
});
