import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { equalBytes, toHex } from "../../src/bytes/bytes.js";
import * as bacap from "../../src/bacap/index.js";
import { hasCode } from "../../src/errors/errors.js";

const seed = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => new Uint8Array(array));
const plaintext = fc.uint8Array({ maxLength: 200 }).map((array) => new Uint8Array(array));

test("advancing by a and then by b equals advancing by a + b, and the counter shows it", () => {
  fc.assert(
    fc.property(seed, fc.nat(12), fc.nat(12), (from, a, b) => {
      const { firstMessageIndex } = bacap.keypairFromSeed(from);
      const start = bacap.messageBoxCounter(firstMessageIndex);
      const atA = bacap.advanceMessageBoxIndex(firstMessageIndex, start + BigInt(a));
      const end = start + BigInt(a + b);
      const once = bacap.advanceMessageBoxIndex(firstMessageIndex, end);
      assert.equal(toHex(bacap.advanceMessageBoxIndex(atA, end)), toHex(once));
      assert.equal(bacap.messageBoxCounter(once), end);
      let stepped = atA;
      for (let i = 0; i < b; i++) stepped = bacap.nextMessageBoxIndex(stepped);
      assert.equal(toHex(stepped), toHex(once));
      if (a > 0) {
        assert.throws(() => bacap.advanceMessageBoxIndex(atA, start), /cannot rewind index/);
      }
    }),
    { numRuns: 40 },
  );
});

test("the reader opens what was sealed, and detects any changed byte", () => {
  fc.assert(
    fc.property(
      seed,
      plaintext,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (from, text, at, flip) => {
        const { writeCap, readCap, firstMessageIndex } = bacap.keypairFromSeed(from);
        const box = bacap.encryptBox(writeCap, firstMessageIndex, text);
        assert.deepEqual(bacap.openBox(readCap, firstMessageIndex, box), {
          kind: "message",
          plaintext: text,
        });
        const parts = ["boxId", "ciphertext", "signature"] as const;
        const part = parts[at % 3]!;
        const changed = box[part].slice();
        changed[at % changed.length]! ^= flip;
        assert.throws(
          () => bacap.openBox(readCap, firstMessageIndex, { ...box, [part]: changed }),
          (error) => hasCode(error, "THIN_CLIENT_ERROR_BACAP_DECRYPTION_FAILED"),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("mutating commutes with taking the ReadCap and does not change the counter", () => {
  fc.assert(
    fc.property(seed, fc.uint8Array({ maxLength: 64 }), (from, salt) => {
      const { writeCap, readCap, firstMessageIndex } = bacap.keypairFromSeed(from);
      const mutated = bacap.mutateCap(writeCap, salt);
      assert.equal(toHex(bacap.readCapOf(mutated)), toHex(bacap.mutateCap(readCap, salt)));
      const index = bacap.firstIndexOf(mutated);
      assert.equal(bacap.messageBoxCounter(index), bacap.messageBoxCounter(firstMessageIndex));
      assert.ok(!equalBytes(index, firstMessageIndex));
    }),
    { numRuns: 40 },
  );
});

test("boxes of a stream have different IDs, and streams do not share any", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 8; i++) {
    const { readCap, firstMessageIndex } = bacap.keypairFromSeed(new Uint8Array(32).fill(i));
    let index = firstMessageIndex;
    for (let step = 0; step < 10; step++) {
      seen.add(toHex(bacap.boxIdFor(readCap, index)));
      index = bacap.nextMessageBoxIndex(index);
    }
  }
  assert.equal(seen.size, 80);
});
