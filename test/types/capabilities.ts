/**
 * What must not compile: a capability in place of another one, or in place of a message. Nothing
 * here runs; a line that does compile is an error of the compiler (an unused `@ts-expect-error`).
 */
import type {
  Bytes,
  EncryptReadResult,
  EncryptWriteResult,
  EnvelopeHash,
  MessageBoxIndex,
  MultiDestEnvelopes,
  ReadCap,
  SingleDestEnvelopes,
  ThinClient,
  TombstoneRangeResult,
  WriteCap,
  WriteCapHash,
} from "../../src/index.js";

declare const client: ThinClient;
declare const writeCap: WriteCap;
declare const readCap: ReadCap;
declare const index: MessageBoxIndex;
declare const envelopeHash: EnvelopeHash;
declare const capHash: WriteCapHash;
declare const plain: Bytes;
declare const sealedRead: EncryptReadResult;
declare const sealedWrite: EncryptWriteResult;

/** Code that compiles, so that the lines below fail for the stated reason. */
export async function right(): Promise<void> {
  await client.read(readCap, index, { wait: false, timeoutMs: 5 });
  await client.write(writeCap, index, "text", { ifExists: "error" });
  await client.write(writeCap, index, plain);
  await client.tombstone(writeCap, index);
  await client.copy(plain, [{ writeCap, startIndex: index }]);
  await client.startResendingEncryptedMessage(sealedRead);
  await client.startResendingEncryptedMessage(sealedWrite);
  await client.startResendingEncryptedMessage({ ...sealedRead, noRetryOnBoxIdNotFound: true });
  await client.startResendingEncryptedMessageNoRetry(await client.encryptRead(readCap, index));
  await client.startResendingEncryptedMessageReturnBoxExists(sealedWrite);
  const range: TombstoneRangeResult = await client.tombstoneRange(writeCap, index, 3);
  for (const envelope of range.envelopes) {
    await client.startResendingEncryptedMessage({ ...envelope, writeCap });
  }
  const keypair = await client.newKeypair(plain);
  await client.read(keypair.readCap, keypair.firstMessageIndex);
  const single: SingleDestEnvelopes = await client.createCourierEnvelopesFromPayload({
    payload: plain,
    destWriteCap: writeCap,
    destStartIndex: index,
    isStart: true,
    isLast: true,
  });
  await client.nextMessageBoxIndex(single.nextDestIndex);
  const multi: MultiDestEnvelopes = await client.createCourierEnvelopesFromMultiPayload({
    destinations: [{ payload: plain, writeCap, startIndex: index }],
    isStart: true,
    isLast: true,
  });
  await client.nextMessageBoxIndex(multi.nextDestIndices[0]!);
}

/** The right to read is not the right to write, nor the other way round. */
export async function swappedCapabilities(): Promise<void> {
  // @ts-expect-error -- a ReadCap cannot write
  await client.encryptWrite(plain, readCap, index);
  // @ts-expect-error -- a WriteCap is not to be used for reading
  await client.encryptRead(writeCap, index);
  // @ts-expect-error -- a ReadCap cannot write
  await client.write(readCap, index, "text");
  // @ts-expect-error -- a WriteCap is not to be used for reading
  await client.read(writeCap, index);
  // @ts-expect-error -- a ReadCap cannot delete
  await client.tombstone(readCap, index);
  // @ts-expect-error -- a ReadCap cannot delete
  await client.tombstoneRange(readCap, index, 3);
  // @ts-expect-error -- a ReadCap is not a temporary stream to copy
  await client.startResendingCopyCommand(readCap);
  // @ts-expect-error -- a ReadCap is not a destination
  await client.copy(plain, [{ writeCap: readCap, startIndex: index }]);
  // @ts-expect-error -- a voucher is minted for a stream one can write
  await client.voucherMint(readCap, "Zoe");
  // @ts-expect-error -- plain bytes are not a capability until they are checked
  await client.read(plain, index);
}

/** A capability is never a message. */
export async function capabilitiesAsPayload(): Promise<void> {
  // @ts-expect-error -- a WriteCap is not a plaintext
  await client.encryptWrite(writeCap, writeCap, index);
  // @ts-expect-error -- a WriteCap is not a plaintext
  await client.write(writeCap, index, writeCap);
  // @ts-expect-error -- a ReadCap is not a payload
  await client.copy(readCap, [{ writeCap, startIndex: index }]);
  await client.createCourierEnvelopesFromPayload({
    // @ts-expect-error -- a WriteCap is not a payload
    payload: writeCap,
    destWriteCap: writeCap,
    destStartIndex: index,
    isStart: true,
    isLast: true,
  });
  // @ts-expect-error -- a ReadCap is told by its own means, not in a voucher's answer
  await client.voucherInduct(plain, plain, readCap);
}

/** Hashes and indices are also distinct types. */
export async function swappedNames(): Promise<void> {
  // @ts-expect-error -- the hash of a capability names a copy command
  await client.cancelResendingEncryptedMessage(capHash);
  // @ts-expect-error -- the hash of an envelope names its sending
  await client.cancelResendingCopyCommand(envelopeHash);
  // @ts-expect-error -- index and capability in the wrong order
  await client.read(index, readCap);
  // @ts-expect-error -- an index is not a capability
  await client.nextMessageBoxIndex(readCap);
}

/** A request is a read or a write, with the flags of its kind. */
export async function mixedRequests(): Promise<void> {
  // @ts-expect-error -- not both capabilities
  await client.startResendingEncryptedMessage({ ...sealedRead, writeCap });
  // @ts-expect-error -- the flag of a write
  await client.startResendingEncryptedMessage({
    ...sealedRead,
    noIdempotentBoxAlreadyExists: true,
  });
  // @ts-expect-error -- the flag of a read
  await client.startResendingEncryptedMessage({ ...sealedWrite, noRetryOnBoxIdNotFound: true });
  // @ts-expect-error -- for writes only
  await client.startResendingEncryptedMessageReturnBoxExists(sealedRead);
  // @ts-expect-error -- for reads only
  await client.startResendingEncryptedMessageNoRetry(sealedWrite);
  // @ts-expect-error -- a misspelt flag
  await client.startResendingEncryptedMessage({ ...sealedRead, noRetryOnBoxIDNotFound: true });
  // @ts-expect-error -- no such choice
  await client.write(writeCap, index, "text", { ifExists: "overwrite" });
}

/** The compiler knows which builder returns which index. */
export async function resultsOfBuilders(multi: MultiDestEnvelopes): Promise<void> {
  // @ts-expect-error -- several destinations have no single next index
  await client.nextMessageBoxIndex(multi.nextDestIndex);
}
