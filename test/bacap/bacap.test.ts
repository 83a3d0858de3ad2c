import assert from "node:assert/strict";
import { test } from "node:test";
import { randomBytes, toHex, utf8 } from "../../src/bytes/bytes.js";
import { type MessageBoxIndex, ReadCap, WriteCap } from "../../src/bytes/opaque.js";
import * as bacap from "../../src/bacap/index.js";
import { hasCode } from "../../src/errors/errors.js";

const stream = bacap.keypairFromSeed(new Uint8Array(32).fill(1));
const other = bacap.keypairFromSeed(new Uint8Array(32).fill(2));

function withHalves(privateHalf: Uint8Array, publicHalf: Uint8Array): WriteCap {
  const cap = WriteCap.from(stream.writeCap);
  cap.set(privateHalf, 0);
  cap.set(publicHalf, 32);
  return cap;
}

test("key pairs are random unless a seed is given", () => {
  const one = bacap.generateKeypair();
  const two = bacap.generateKeypair();
  assert.notEqual(toHex(one.writeCap), toHex(two.writeCap));
  assert.equal(one.writeCap.length, 168);
  assert.equal(one.readCap.length, 136);
  assert.equal(one.firstMessageIndex.length, 104);
});

test("a WriteCap with mismatched halves is refused everywhere", () => {
  const mixed = withHalves(stream.writeCap.subarray(0, 32), other.writeCap.subarray(32, 64));
  const index = stream.firstMessageIndex;
  const calls = [
    () => bacap.parseWriteCap(mixed),
    () => bacap.boxIdFor(mixed, index),
    () => bacap.encryptBox(mixed, index, utf8("x")),
    () => bacap.signTombstone(mixed, index),
    () => bacap.signBox(mixed, index, utf8("x")),
  ];
  for (const call of calls) assert.throws(call, { name: "RangeError", message: /belongs to/ });
});

test("a verified public key does not validate another seed with the same public half", () => {
  bacap.encryptBox(stream.writeCap, stream.firstMessageIndex, utf8("x"));
  const forged = withHalves(other.writeCap.subarray(0, 32), stream.writeCap.subarray(32, 64));
  assert.throws(() => bacap.encryptBox(forged, stream.firstMessageIndex, utf8("x")), RangeError);
  assert.throws(() => bacap.encryptBox(forged, stream.firstMessageIndex, utf8("x")), RangeError);
  bacap.encryptBox(stream.writeCap, stream.firstMessageIndex, utf8("x"));
});

test("changing a capability's bytes after use changes the derived values", () => {
  const cap = ReadCap.from(stream.readCap);
  const before = toHex(bacap.boxIdFor(cap, stream.firstMessageIndex));
  cap.set(other.readCap.subarray(0, 32), 0);
  const after = toHex(bacap.boxIdFor(cap, stream.firstMessageIndex));
  assert.notEqual(after, before);
  assert.equal(after, toHex(bacap.boxIdFor(ReadCap.from(cap), stream.firstMessageIndex)));
});

test("a ReadCap with a key off the curve is refused with an error", () => {
  const cap = ReadCap.from(stream.readCap);
  cap.fill(0, 0, 32);
  cap[0] = 2;
  assert.throws(() => bacap.parseReadCap(cap), {
    name: "RangeError",
    message: /point of the curve/,
  });
  assert.throws(() => bacap.boxIdFor(cap, stream.firstMessageIndex), RangeError);
});

test("error texts never contain the bytes of a capability", () => {
  const mixed = withHalves(stream.writeCap.subarray(0, 32), other.writeCap.subarray(32, 64));
  try {
    bacap.parseWriteCap(mixed);
    assert.fail("was accepted");
  } catch (error) {
    assert.ok(!String(error).includes(toHex(mixed.subarray(0, 8))));
  }
});

test("many streams used in turn stay correct when the key cache overflows", () => {
  const streams = Array.from({ length: 40 }, (_, i) =>
    bacap.keypairFromSeed(new Uint8Array(32).fill(50 + i)),
  );
  for (let round = 0; round < 2; round++) {
    for (const { readCap, writeCap, firstMessageIndex } of streams) {
      assert.equal(
        toHex(bacap.boxIdFor(readCap, firstMessageIndex)),
        toHex(bacap.boxIdFor(writeCap, firstMessageIndex)),
      );
    }
  }
});

test("errors name wrong lengths and types", () => {
  const index = stream.firstMessageIndex;
  const short = index.slice(1) as MessageBoxIndex;
  assert.throws(() => bacap.boxIdFor(stream.readCap, short), /messageBoxIndex.*104.*103/);
  assert.throws(() => bacap.nextMessageBoxIndex(short), RangeError);
  assert.throws(() => bacap.messageBoxCounter(short), RangeError);
  assert.throws(() => bacap.mutateMessageBoxIndex(short, utf8("s")), RangeError);
  assert.throws(() => bacap.boxIdFor(index as never, index), /`cap` must be 136 bytes, got 104/);
  assert.throws(() => bacap.encryptBox(stream.readCap as never, index, utf8("x")), RangeError);
  assert.throws(() => bacap.encryptBox(stream.writeCap, index, "x" as never), TypeError);
  assert.throws(() => bacap.keypairFromSeed(new Uint8Array(31)), /`seed` must be 32 bytes, got 31/);
  assert.throws(() => bacap.keypairFromSeed("x" as never), TypeError);
  assert.throws(() => bacap.advanceMessageBoxIndex(index, -1n), RangeError);
  assert.throws(() => bacap.advanceMessageBoxIndex(index, 1n << 64n), RangeError);
  assert.throws(() => bacap.advanceMessageBoxIndex(index, 5 as never), RangeError);
  assert.throws(() => bacap.decryptBox(index, new Uint8Array(31), new Uint8Array(16)), RangeError);
});

test("a reader opens a box only at its index and under its context", () => {
  const { writeCap, readCap, firstMessageIndex } = stream;
  const next = bacap.nextMessageBoxIndex(firstMessageIndex);
  const box = bacap.encryptBox(writeCap, firstMessageIndex, utf8("hello"));
  const failed = (e: unknown) => hasCode(e, "THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED");
  assert.deepEqual(bacap.openBox(readCap, firstMessageIndex, box), {
    kind: "message",
    plaintext: utf8("hello"),
  });
  assert.throws(() => bacap.openBox(readCap, next, box), failed);
  assert.throws(() => bacap.openBox(other.readCap, firstMessageIndex, box), failed);
  assert.throws(() => bacap.openBox(readCap, firstMessageIndex, box, utf8("other")), failed);
  const tombstoneOfNext = bacap.signTombstone(writeCap, next);
  assert.ok(bacap.verifyBox(tombstoneOfNext));
  assert.throws(() => bacap.openBox(readCap, firstMessageIndex, tombstoneOfNext), failed);
  const emptied = { ...box, ciphertext: new Uint8Array(0) };
  assert.throws(() => bacap.openBox(readCap, firstMessageIndex, emptied), failed);
});

test("an empty message is not a tombstone", () => {
  const { writeCap, readCap, firstMessageIndex } = stream;
  const box = bacap.encryptBox(writeCap, firstMessageIndex, new Uint8Array(0));
  assert.equal(box.ciphertext.length, bacap.BOX_OVERHEAD);
  const opened = bacap.openBox(readCap, firstMessageIndex, box);
  assert.deepEqual(opened, { kind: "message", plaintext: new Uint8Array(0) });
});

test("verification does not throw on wrong lengths", () => {
  const box = bacap.encryptBox(stream.writeCap, stream.firstMessageIndex, utf8("x"));
  assert.equal(bacap.verifyBox({ ...box, signature: randomBytes(63) }), false);
  assert.equal(bacap.verifyBox({ ...box, boxId: randomBytes(31) }), false);
  assert.equal(bacap.verifyBox({ ...box, signature: new Uint8Array(0) }), false);
});
