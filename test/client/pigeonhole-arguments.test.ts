import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { IdentityHash } from "../../src/bytes/opaque.js";
import { writeCapHash } from "../../src/client/copy-calls.js";
import type { ThinClient } from "../../src/client/thin-client.js";
import { hash256 } from "../../src/bytes/hash.js";
import { type ConnectedPair, connectedPair, reasonOf, turn } from "./fixture.js";
import type { DaemonRequest } from "../../src/wire/requests.js";
import {
  ciphertext,
  courier,
  descriptor,
  filled,
  hashOf,
  index,
  readCap,
  sealedRead,
  sealedWrite,
  writeCap,
} from "./pigeonhole-fixture.js";

const payloadRequest = {
  payload: filled(3),
  destWriteCap: writeCap,
  destStartIndex: index,
  isStart: true,
  isLast: true,
};
const destination = { payload: filled(3), writeCap, startIndex: index };
const tombstones = {
  destWriteCap: writeCap,
  destStartIndex: index,
  maxCount: 1,
  isStart: true,
  isLast: true,
};
const target = { writeCap, startIndex: index };

/** Makes a caller's own copy of some bytes. */
type Own = <T extends Uint8Array>(bytes: T) => T;

/** Calls that may wait for a connection. Payloads of builders are not copied. */
const waiting: readonly ((client: ThinClient, own: Own) => Promise<unknown>)[] = [
  (c, own) => c.newKeypair(own(filled(32))),
  (c, own) => c.encryptRead(own(readCap), own(index)),
  (c, own) => c.encryptWrite(own(filled(9)), own(writeCap), own(index)),
  (c, own) => c.read(own(readCap), own(index)),
  (c, own) => c.write(own(writeCap), own(index), own(filled(9))),
  (c, own) => c.tombstone(own(writeCap), own(index)),
  (c, own) => c.tombstoneRange(own(writeCap), own(index), 1),
  (c, own) =>
    c.startResendingEncryptedMessage({
      readCap: own(readCap),
      messageBoxIndex: own(index),
      envelopeDescriptor: own(descriptor),
      messageCiphertext: own(ciphertext),
      envelopeHash: own(hashOf(1)),
    }),
  (c, own) =>
    c.startResendingEncryptedMessage({
      writeCap: own(writeCap),
      messageBoxIndex: own(index),
      envelopeDescriptor: own(descriptor),
      messageCiphertext: own(ciphertext),
      envelopeHash: own(hashOf(2)),
    }),
  (c, own) => c.cancelResendingEncryptedMessage(own(hashOf(3))),
  (c, own) => c.nextMessageBoxIndex(own(index)),
  (c, own) => c.getMessageBoxIndexCounter(own(index)),
  (c, own) =>
    c.startResendingCopyCommand(own(writeCap), { courier: [own(courier[0]), own(courier[1])] }),
  (c, own) => c.cancelResendingCopyCommand(own(writeCapHash(writeCap))),
  (c, own) =>
    c.createCourierEnvelopesFromPayload({
      payload: filled(3),
      destWriteCap: own(writeCap),
      destStartIndex: own(index),
      isStart: true,
      isLast: true,
    }),
  (c, own) =>
    c.createCourierEnvelopesFromMultiPayload({
      destinations: [{ payload: filled(3), writeCap: own(writeCap), startIndex: own(index) }],
      isStart: true,
      isLast: true,
      buffer: own(filled(5)),
    }),
  (c, own) =>
    c.createCourierEnvelopesFromTombstoneRange({
      destWriteCap: own(writeCap),
      destStartIndex: own(index),
      maxCount: 1,
      isStart: true,
      isLast: true,
      buffer: own(filled(5)),
    }),
  (c, own) => c.voucherMint(own(writeCap), "Zoë"),
  (c, own) => c.voucherInduct(own(filled(32)), own(filled(300)), own(filled(9))),
  (c, own) => c.voucherOpen(own(filled(162)), own(filled(400)), own(writeCap)),
  (c, own) => c.voucherDeriveStream(own(filled(32))),
];

/** The first request of a call that waited for a connection, with `own` for its bytes. */
async function requestAfterReconnect(
  call: (typeof waiting)[number],
  own: Own,
  afterwards: () => void,
): Promise<DaemonRequest | null> {
  const { client, clock, connection, daemon } = await connectedPair();
  connection.transport.destroy();
  await turn();
  const ended = call(client, own).catch(() => {});
  await turn();
  afterwards();
  await clock.advance(1000);
  const request = await (await daemon.shakeHands(true)).next();
  await client.stop();
  await ended;
  return request;
}

/**
 * The compiler rejects the wrong arguments that JavaScript code can pass, so the tests use `any`.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- wrong arguments are what is tested
type Any = any;
type Wrong = readonly [
  call: (client: ThinClient) => Promise<unknown>,
  type: typeof TypeError | typeof RangeError,
  text: RegExp,
];

const wrong: readonly Wrong[] = [
  [(c) => c.newKeypair(filled(31)), RangeError, /`seed` must be 32 bytes, got 31/],
  [(c) => c.newKeypair("seed" as Any), TypeError, /`seed` must be a Uint8Array, got a string/],
  [(c) => c.newKeypair(filled(32), { tries: 3 } as Any), TypeError, /`options.tries`/],
  [(c) => c.newKeypair(filled(32), { timeoutMs: 0 }), RangeError, /`options.timeoutMs`/],
  [
    (c) => c.newKeypair(filled(32), { timeoutMs: "300" as Any }),
    TypeError,
    /`options.timeoutMs` must be a positive number of milliseconds, got a string of 3 characters/,
  ],
  [
    (c) => c.write(writeCap, index, 5 as Any),
    TypeError,
    /`plaintext` must be a Uint8Array or a string, got number/,
  ],

  [(c) => c.encryptRead(filled(135) as Any, index), RangeError, /`readCap` must be 136 bytes/],
  [(c) => c.encryptRead(writeCap as Any, index), RangeError, /`readCap`.*168.*a WriteCap/],
  [(c) => c.encryptRead(readCap, filled(103) as Any), RangeError, /`messageBoxIndex`.*104.*103/],
  [(c) => c.encryptRead(undefined as Any, index), TypeError, /`readCap` must be a Uint8Array/],
  [(c) => c.encryptRead(readCap, null as Any), TypeError, /`messageBoxIndex`.*got null/],

  [
    (c) => c.encryptWrite(filled(1550), writeCap, index),
    RangeError,
    /`plaintext` must be at most 1549 bytes.*got 1550.*copy\(\)/,
  ],
  [(c) => c.encryptWrite("hello" as Any, writeCap, index), TypeError, /`plaintext`/],
  [
    (c) => c.encryptWrite(filled(3), readCap as Any, index),
    RangeError,
    /`writeCap` must be a WriteCap of 168 bytes, got 136, the length of a ReadCap/,
  ],
  [(c) => c.encryptWrite(filled(3), filled(169) as Any, index), RangeError, /168 bytes, got 169/],
  [(c) => c.encryptWrite(filled(3), writeCap, filled(0) as Any), RangeError, /104 bytes, got 0/],

  [(c) => c.startResendingEncryptedMessage(null as Any), TypeError, /`request` must be an object/],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, writeCap } as Any),
    TypeError,
    /either `readCap` or `writeCap`/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, readCap: undefined } as Any),
    TypeError,
    /either `readCap` or `writeCap`/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, kind: "write" } as Any),
    TypeError,
    /`request.kind` must be "read"/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedWrite, writeCap: readCap } as Any),
    RangeError,
    /`request.writeCap`.*a ReadCap/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, messageBoxIndex: undefined } as Any),
    TypeError,
    /`request.messageBoxIndex`/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedWrite, messageBoxIndex: filled(3) } as Any),
    RangeError,
    /`request.messageBoxIndex` must be 104 bytes, got 3/,
  ],
  [
    (c) =>
      c.startResendingEncryptedMessage({ ...sealedRead, envelopeDescriptor: filled(0) } as Any),
    RangeError,
    /`request.envelopeDescriptor` must be at least 1 byte/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, messageCiphertext: filled(0) }),
    RangeError,
    /`request.messageCiphertext` must be at least 1 byte/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, envelopeHash: filled(33) } as Any),
    RangeError,
    /`request.envelopeHash` must be 32 bytes, got 33/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, replyIndex: 256 }),
    RangeError,
    /`request.replyIndex` must be an integer from 0 to 255, got 256/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, noRetryOnBoxIDNotFound: true } as Any),
    TypeError,
    /`request.noRetryOnBoxIDNotFound` is not an option/,
  ],
  [
    (c) => c.startResendingEncryptedMessage({ ...sealedRead, noRetryOnBoxIdNotFound: 1 } as Any),
    TypeError,
    /`request.noRetryOnBoxIdNotFound` must be a boolean, got number/,
  ],
  [
    (c) => c.startResendingEncryptedMessageReturnBoxExists(sealedRead as Any),
    TypeError,
    /`request.noIdempotentBoxAlreadyExists` is for a write/,
  ],
  [
    (c) => c.startResendingEncryptedMessageNoRetry(sealedWrite as Any),
    TypeError,
    /`request.noRetryOnBoxIdNotFound` is for a read/,
  ],
  [(c) => c.cancelResendingEncryptedMessage(filled(31) as Any), RangeError, /`envelopeHash`/],
  [(c) => c.nextMessageBoxIndex(filled(105) as Any), RangeError, /`messageBoxIndex`/],
  [(c) => c.getMessageBoxIndexCounter([] as Any), TypeError, /`messageBoxIndex`/],

  [(c) => c.startResendingCopyCommand(readCap as Any), RangeError, /`writeCap`.*a ReadCap/],
  [
    (c) => c.startResendingCopyCommand(writeCap, { courier: filled(32) as Any }),
    TypeError,
    /`options.courier` must be a pair/,
  ],
  [
    (c) => c.startResendingCopyCommand(writeCap, { courier: [filled(31), filled(1)] as Any }),
    RangeError,
    /`options.courier\[0\]` must be 32 bytes/,
  ],
  [
    (c) =>
      c.startResendingCopyCommand(writeCap, {
        courier: [IdentityHash.from(filled(32)), filled(33)],
      }),
    RangeError,
    /`options.courier\[1\]` must be 1 to 32 bytes, got 33/,
  ],
  [(c) => c.cancelResendingCopyCommand(writeCap as Any), RangeError, /`writeCapHash`.*32.*168/],

  [
    (c) =>
      c.createCourierEnvelopesFromPayload({
        ...payloadRequest,
        payload: filled(10 * 1024 * 1024 + 1),
      }),
    RangeError,
    /`request.payload` must be at most 10485760 bytes a call, got 10485761; copy\(\)/,
  ],
  [
    (c) => c.createCourierEnvelopesFromPayload({ ...payloadRequest, payload: "x" as Any }),
    TypeError,
    /`request.payload`/,
  ],
  [
    (c) => c.createCourierEnvelopesFromPayload({ ...payloadRequest, destWriteCap: readCap as Any }),
    RangeError,
    /`request.destWriteCap`.*a ReadCap/,
  ],
  [
    (c) => c.createCourierEnvelopesFromPayload({ ...payloadRequest, destStartIndex: 3 as Any }),
    TypeError,
    /`request.destStartIndex`/,
  ],
  [
    (c) => c.createCourierEnvelopesFromPayload({ ...payloadRequest, isStart: undefined as Any }),
    TypeError,
    /`request.isStart` must be a boolean/,
  ],
  [
    (c) => c.createCourierEnvelopesFromPayload({ ...payloadRequest, buffer: filled(3) } as Any),
    TypeError,
    /`request.buffer` is not an option/,
  ],
  [
    (c) =>
      c.createCourierEnvelopesFromMultiPayload({ destinations: [], isStart: true, isLast: true }),
    TypeError,
    /`request.destinations`.*at least one/,
  ],
  [
    (c) =>
      c.createCourierEnvelopesFromMultiPayload({
        destinations: [destination, { ...destination, writeCap: readCap as Any }],
        isStart: true,
        isLast: true,
      }),
    RangeError,
    /`request.destinations\[1\].writeCap`.*a ReadCap/,
  ],
  [
    (c) =>
      c.createCourierEnvelopesFromMultiPayload({
        destinations: Array.from({ length: 4 }, () => ({
          ...destination,
          payload: filled(8 * 1024 * 1024),
        })),
        isStart: true,
        isLast: true,
      }),
    RangeError,
    /`request.destinations` must be at most 31457280 bytes together, got 33554432/,
  ],
  [
    (c) =>
      c.createCourierEnvelopesFromMultiPayload({
        destinations: [destination],
        isStart: true,
        isLast: true,
        buffer: "x" as Any,
      }),
    TypeError,
    /`request.buffer`/,
  ],
  [
    (c) =>
      c.createCourierEnvelopesFromPayload({ ...payloadRequest, payload: filled(0), isLast: true }),
    RangeError,
    /last call of a copy stream.*`request.payload` is empty.*would not end/,
  ],
  [
    (c) =>
      c.createCourierEnvelopesFromMultiPayload({
        destinations: [
          { ...destination, payload: filled(0) },
          { ...destination, payload: filled(0) },
        ],
        isStart: false,
        isLast: true,
        buffer: filled(0),
      }),
    RangeError,
    /last call of a copy stream.*every `payload`.*buffer, is empty.*would not end/,
  ],
  [
    (c) => c.createCourierEnvelopesFromTombstoneRange({ ...tombstones, maxCount: 0, isLast: true }),
    RangeError,
    /last call of a copy stream.*`request.maxCount` is 0 and the buffer empty.*would not end/,
  ],
  [
    (c) => c.createCourierEnvelopesFromTombstoneRange({ ...tombstones, maxCount: 2 ** 32 }),
    RangeError,
    /`request.maxCount` must be an integer from 0 to 4294967295, got 4294967296/,
  ],
  [
    (c) => c.createCourierEnvelopesFromTombstoneRange({ ...tombstones, maxCount: 1.5 }),
    RangeError,
    /`request.maxCount`.*got 1.5/,
  ],
  [(c) => c.tombstoneRange(writeCap, index, -1), RangeError, /`maxCount`.*got -1/],
  [(c) => c.tombstoneRange(readCap as Any, index, 1), RangeError, /`writeCap`.*a ReadCap/],
  [(c) => c.tombstoneRange(writeCap, filled(1) as Any, 1), RangeError, /`start` must be 104/],
  [
    (c) => c.tombstoneRange(writeCap, index, 1, { onProgress: 1 as Any }),
    TypeError,
    /`options.onProgress` must be a function/,
  ],

  [(c) => c.voucherMint(readCap as Any, "x"), RangeError, /`messageWriteCap`.*a ReadCap/],
  [(c) => c.voucherMint(writeCap, 5 as Any), TypeError, /`displayName` must be a string/],
  [(c) => c.voucherInduct(filled(31), filled(1), filled(1)), RangeError, /`voucher` must be 32/],
  [(c) => c.voucherInduct(filled(32), filled(0), filled(1)), RangeError, /`voucherPayload`/],
  [(c) => c.voucherInduct(filled(32), filled(1), "x" as Any), TypeError, /`whoReply`/],
  [(c) => c.voucherOpen(filled(161), filled(1), writeCap), RangeError, /`voucherSecretKey`.*162/],
  [(c) => c.voucherOpen(filled(162), filled(0), writeCap), RangeError, /`sealedReply`/],
  [(c) => c.voucherOpen(filled(162), filled(1), readCap as Any), RangeError, /a ReadCap/],
  [(c) => c.voucherDeriveStream(filled(33)), RangeError, /`voucher` must be 32 bytes, got 33/],

  [(c) => c.read(writeCap as Any, index), RangeError, /`readCap`.*a WriteCap/],
  [(c) => c.read(readCap, filled(3) as Any), RangeError, /`index` must be 104/],
  [(c) => c.read(readCap, index, { wait: "no" as Any }), TypeError, /`options.wait`/],
  [(c) => c.read(readCap, index, { ifExists: "same" } as Any), TypeError, /`options.ifExists`/],
  [(c) => c.write(readCap as Any, index, "x"), RangeError, /`writeCap`.*a ReadCap/],
  [(c) => c.write(writeCap, filled(3) as Any, "x"), RangeError, /`index` must be 104/],
  [(c) => c.write(writeCap, index, ""), RangeError, /`plaintext`.*tombstone\(\)/],
  [(c) => c.write(writeCap, index, filled(0)), RangeError, /`plaintext`.*tombstone\(\)/],
  [(c) => c.write(writeCap, index, 7 as Any), TypeError, /`plaintext`/],
  [(c) => c.write(writeCap, index, "é".repeat(775)), RangeError, /at most 1549.*got 1550/],
  [(c) => c.write(writeCap, index, "x", { ifExists: "no" as Any }), TypeError, /`options.ifE/],
  [(c) => c.tombstone(readCap as Any, index), RangeError, /`writeCap`.*a ReadCap/],

  [(c) => c.copy("text" as Any, [target]), TypeError, /`source` must be a Uint8Array or an async/],
  [(c) => c.copy(filled(1), []), TypeError, /`destinations`.*at least one/],
  [(c) => c.copy(filled(1), target as Any), TypeError, /`destinations` must be an array/],
  [
    (c) => c.copy(filled(1), [target, { ...target, writeCap: readCap as Any }]),
    RangeError,
    /`destinations\[1\].writeCap`.*a ReadCap/,
  ],
  [
    (c) => c.copy(filled(1), [{ ...target, startIndex: filled(3) as Any }]),
    RangeError,
    /`destinations\[0\].startIndex` must be 104/,
  ],
  [
    (c) => c.copy(filled(1), [{ ...target, payload: filled(1) } as Any]),
    TypeError,
    /`destinations\[0\].payload` is not an option/,
  ],
  [(c) => c.copy(filled(1), [target], { onProgress: {} as Any }), TypeError, /onProgress/],
  [
    (c) => c.copy(filled(90_000_000), [target]),
    RangeError,
    /`source` must take at most 65536 boxes, but takes at least 70742/,
  ],
];

describe("a wrong argument of a Pigeonhole call", () => {
  let made: ConnectedPair;
  before(async () => {
    made = await connectedPair();
  });
  after(() => made.client.stop());

  for (const [i, [call, type, text]] of wrong.entries()) {
    test(`is refused by the client, ${i}: ${text.source}`, async () => {
      const error = await reasonOf(call(made.client));
      assert.equal(error.constructor, type, String(error));
      assert.match(error.message, text);
    });
  }

  test("never reaches the daemon, and its value is never shown", async () => {
    await turn();
    assert.deepEqual(made.connection.requests, []);
    assert.equal(made.client.pendingCalls, 0);
    const secret = filled(168, 0xee).subarray(1);
    const error = await reasonOf(made.client.startResendingCopyCommand(secret as Any));
    assert.doesNotMatch(error.message, /ee|238/);
  });

  test("a copy command is identified by the hash of its capability", () => {
    assert.deepEqual(writeCapHash(writeCap), hash256(writeCap));
    assert.equal(writeCapHash(writeCap).length, 32);
    assert.throws(() => writeCapHash(readCap as Any), RangeError);
  });

  test("the caller may change its bytes once the call is made", async () => {
    const { client, connection } = made;
    const changing = { ...sealedWrite, messageCiphertext: ciphertext.slice() };
    const cap = descriptor.slice();
    const abort = new AbortController();
    const call = client.startResendingEncryptedMessage(
      { ...changing, envelopeDescriptor: cap as Any, envelopeHash: hashOf(9) },
      { signal: abort.signal },
    );
    changing.messageCiphertext.fill(0);
    cap.fill(0);
    const request = await connection.expect("startResendingEncryptedMessage");
    assert.deepEqual(request.messageCiphertext, ciphertext);
    assert.deepEqual(request.envelopeDescriptor, descriptor);
    abort.abort();
    await reasonOf(call);
  });

  test("the caller may change its bytes while the call waits for a connection", async () => {
    for (const call of waiting) {
      const sent = await requestAfterReconnect(
        call,
        (bytes) => bytes,
        () => {},
      );
      const given: Uint8Array[] = [];
      const own: Own = (bytes) => {
        const copy = bytes.slice() as typeof bytes;
        given.push(copy);
        return copy;
      };
      const fill = (): void => given.forEach((bytes) => bytes.fill(0xee));
      const changed = await requestAfterReconnect(call, own, fill);
      assert.deepEqual({ ...changed, queryId: null }, { ...sent, queryId: null }, String(call));
    }
  });

  test("payloads of exactly the largest sizes are sent", async () => {
    const { client, connection } = await connectedPair();
    const payload = new Uint8Array(10 * 1024 * 1024);
    const one = reasonOf(client.createCourierEnvelopesFromPayload({ ...payloadRequest, payload }));
    const single = await connection.expect("createCourierEnvelopesFromPayload");
    assert.equal(single.payload?.length, payload.length);
    const three = [1, 2, 3].map(() => ({ ...destination, payload }));
    const request = { destinations: three, isStart: true, isLast: true };
    const all = reasonOf(client.createCourierEnvelopesFromMultiPayload(request));
    const multi = await connection.expect("createCourierEnvelopesFromMultiPayload");
    assert.equal(multi.destinations?.length, 3);
    await client.stop();
    await Promise.all([one, all]);
  });
});
